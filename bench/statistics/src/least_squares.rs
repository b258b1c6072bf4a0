//! Nonlinear least squares, for whoever has residuals.

use levenberg_marquardt::{LeastSquaresProblem, LevenbergMarquardt};
use nalgebra::{DMatrix, DVector, Dyn, Owned};

/// Parameters, and how far they are from explaining what was measured.
pub trait Residuals {
    /// The parameters, where they are now.
    fn parameters(&self) -> &[f64];

    /// Moves the parameters there.
    fn set_parameters(&mut self, parameters: &[f64]);

    /// The errors, the sum of whose squares is to be the least; `None` if there are none here.
    fn residuals(&self) -> Option<Vec<f64>>;

    /// For each parameter, by how much it changes each residual.
    fn derivatives(&self) -> Option<Vec<Vec<f64>>>;
}

/// Moves the parameters where they explain most. The search ends once it gains less than `tolerance`, or after `patience` times as
/// many residuals as there are parameters.
pub fn minimize(problem: &mut dyn Residuals, patience: usize, tolerance: f64) {
    LevenbergMarquardt::new().with_patience(patience).with_tol(tolerance).minimize(Problem(problem));
}

struct Problem<'a>(&'a mut dyn Residuals);

impl LeastSquaresProblem<f64, Dyn, Dyn> for Problem<'_> {
    type ParameterStorage = Owned<f64, Dyn>;
    type ResidualStorage = Owned<f64, Dyn>;
    type JacobianStorage = Owned<f64, Dyn, Dyn>;

    fn set_params(&mut self, parameters: &DVector<f64>) {
        self.0.set_parameters(parameters.as_slice());
    }

    fn params(&self) -> DVector<f64> {
        DVector::from_column_slice(self.0.parameters())
    }

    fn residuals(&self) -> Option<DVector<f64>> {
        self.0.residuals().map(DVector::from_vec)
    }

    fn jacobian(&self) -> Option<DMatrix<f64>> {
        let columns = self.0.derivatives()?;
        let (rows, count) = (columns.first().map_or(0, Vec::len), columns.len());
        Some(DMatrix::from_iterator(rows, count, columns.into_iter().flatten()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `y = exp(a) + b x`, at four points.
    struct Line {
        parameters: Vec<f64>,
        points: [(f64, f64); 4],
    }

    impl Residuals for Line {
        fn parameters(&self) -> &[f64] {
            &self.parameters
        }

        fn set_parameters(&mut self, parameters: &[f64]) {
            self.parameters = parameters.to_vec();
        }

        fn residuals(&self) -> Option<Vec<f64>> {
            let [a, b] = self.parameters[..] else { return None };
            Some(self.points.iter().map(|(x, y)| a.exp() + b * x - y).collect())
        }

        fn derivatives(&self) -> Option<Vec<Vec<f64>>> {
            let by_a = vec![self.parameters[0].exp(); self.points.len()];
            Some(vec![by_a, self.points.iter().map(|(x, _)| *x).collect()])
        }
    }

    #[test]
    fn the_least_squares_are_found_and_not_only_what_is_exact() {
        for (ys, a, b) in [([3.0, 5.0, 7.0, 9.0], 3.0, 2.0), ([3.0, 6.0, 6.0, 9.0], 3.3, 1.8)] {
            let points = [0, 1, 2, 3].map(|x| (f64::from(x), ys[x as usize]));
            let mut line = Line { parameters: vec![0.0, 0.0], points };
            minimize(&mut line, 100, 1e-12);
            let (found_a, found_b) = (line.parameters[0].exp(), line.parameters[1]);
            assert!((found_a - a).abs() < 1e-6 && (found_b - b).abs() < 1e-6, "{found_a} {found_b}");
        }
    }
}
