//! The Universal Scalability Law: what keeps more workers from being faster.
//!
//! `X(N) = λN / (1 + σ(N − 1) + κN(N − 1))`, with N workers and the throughput X. σ is contention: the share of the work that
//! only one worker at a time can do. κ is coherency: what each pair of workers costs. From N. J. Gunther, *Guerrilla Capacity
//! Planning*, Springer, 2007, chapters 4 to 6.
//!
//! The fit minimises the sum of the squared relative errors, since the spread of a time is a share of it. Neither coefficient
//! may be negative. The best fit under such bounds is the best fit without one of the coefficients if it is not inside, so all
//! four are tried: with both, with either, with none.

use levenberg_marquardt::{LeastSquaresProblem, LevenbergMarquardt};
use nalgebra::storage::Owned;
use nalgebra::{DMatrix, DVector, Dyn};

/// The law as it fits what was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Law {
    /// λ: the throughput of one worker.
    pub of_one: f64,
    /// σ.
    pub contention: Coefficient,
    /// κ.
    pub coherency: Coefficient,
    /// How far the measured points are from the law: the root of the mean squared relative error, by degree of freedom.
    pub residual: f64,
}

/// A coefficient of the law.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coefficient {
    /// Never negative.
    pub value: f64,
    /// Its standard error, from the covariance of the fit; `None` if the best fit has it at 0, its bound.
    pub error: Option<f64>,
}

/// Why there is no fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoFit {
    /// With fewer, three coefficients fit anything.
    #[error("too few for a fit, which needs {LEAST_POINTS} worker counts up to the number of CPUs, and there are {0}")]
    TooFew(usize),
    /// The search did not end.
    #[error("no fit was found")]
    NotFound,
}

/// The law has three coefficients. Five points leave two degrees of freedom to say how well it fits.
pub const LEAST_POINTS: usize = 5;

impl Law {
    /// Fits the law to pairs of workers and throughput.
    ///
    /// # Errors
    ///
    /// If there are too few points, or if the search finds nothing.
    pub fn fit(points: &[(f64, f64)]) -> Result<Law, NoFit> {
        let mut counts: Vec<f64> = points.iter().map(|(workers, _)| *workers).collect();
        counts.sort_by(f64::total_cmp);
        counts.dedup();
        if counts.len() < LEAST_POINTS {
            return Err(NoFit::TooFew(counts.len()));
        }
        let sets = [[true, true], [true, false], [false, true], [false, false]];
        let fits = sets.into_iter().filter_map(|free| fit(points, free));
        // Of equal ones the last, which needs the fewest coefficients.
        fits.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(law, _)| law).ok_or(NoFit::NotFound)
    }

    /// The throughput of so many workers.
    pub fn throughput(&self, workers: f64) -> f64 {
        self.of_one * workers / cost(workers, self.contention.value, self.coherency.value)
    }

    /// The number of workers beyond which the law says that more are slower; `None` if there is none.
    pub fn peak(&self) -> Option<f64> {
        let (contention, coherency) = (self.contention.value, self.coherency.value);
        (coherency > 0.0).then(|| ((1.0 - contention).max(0.0) / coherency).sqrt().max(1.0))
    }
}

/// What N workers cost each other.
fn cost(workers: f64, contention: f64, coherency: f64) -> f64 {
    1.0 + contention * (workers - 1.0) + coherency * workers * (workers - 1.0)
}

/// The best fit with these coefficients free and the others 0, with its sum of squares; nothing if it has a negative one.
fn fit(points: &[(f64, f64)], free: [bool; 2]) -> Option<(Law, f64)> {
    let mut problem = Problem { points, free, scale: start(points)?, parameters: DVector::zeros(1) };
    let count = 1 + free.iter().filter(|free| **free).count();
    problem.parameters = DVector::zeros(count);
    let (problem, report) = LevenbergMarquardt::new().minimize(problem);
    if !report.termination.was_successful() {
        return None;
    }
    let [of_one, contention, coherency] = problem.coefficients();
    if contention < 0.0 || coherency < 0.0 {
        return None;
    }
    let squares = problem.residuals()?.norm_squared();
    let freedom = (points.len() - count) as f64;
    let jacobian = problem.jacobian()?;
    let covariance = (jacobian.transpose() * &jacobian).try_inverse()? * (squares / freedom);
    let mut place = 0;
    let mut coefficient = |value: f64, free: bool| {
        place += usize::from(free);
        Coefficient { value, error: free.then(|| covariance[(place, place)].max(0.0).sqrt()) }
    };
    let (contention, coherency) = (coefficient(contention, free[0]), coefficient(coherency, free[1]));
    Some((Law { of_one, contention, coherency, residual: (squares / freedom).sqrt() }, squares))
}

/// The throughput of a worker at the fewest workers: what λ is measured in, so that all parameters are near 1.
fn start(points: &[(f64, f64)]) -> Option<f64> {
    let fewest = points.iter().min_by(|a, b| a.0.total_cmp(&b.0));
    fewest.map(|(workers, throughput)| throughput / workers).filter(|scale| scale.is_finite() && *scale > 0.0)
}

/// The parameters are ln(λ / scale), and the coefficients that are free.
struct Problem<'a> {
    points: &'a [(f64, f64)],
    free: [bool; 2],
    scale: f64,
    parameters: DVector<f64>,
}

impl Problem<'_> {
    fn coefficients(&self) -> [f64; 3] {
        let mut rest = self.parameters.iter().skip(1).copied();
        let mut next = |free: bool| if free { rest.next().unwrap_or(0.0) } else { 0.0 };
        let (contention, coherency) = (next(self.free[0]), next(self.free[1]));
        [self.scale * self.parameters[0].exp(), contention, coherency]
    }
}

impl LeastSquaresProblem<f64, Dyn, Dyn> for Problem<'_> {
    type ParameterStorage = Owned<f64, Dyn>;
    type ResidualStorage = Owned<f64, Dyn>;
    type JacobianStorage = Owned<f64, Dyn, Dyn>;

    fn set_params(&mut self, parameters: &DVector<f64>) {
        self.parameters.copy_from(parameters);
    }

    fn params(&self) -> DVector<f64> {
        self.parameters.clone()
    }

    /// The law over what was measured, less 1.
    fn residuals(&self) -> Option<DVector<f64>> {
        let [of_one, contention, coherency] = self.coefficients();
        let residual = |(workers, measured): &(f64, f64)| {
            of_one * workers / cost(*workers, contention, coherency) / measured - 1.0
        };
        Some(DVector::from_iterator(self.points.len(), self.points.iter().map(residual)))
    }

    fn jacobian(&self) -> Option<DMatrix<f64>> {
        let [of_one, contention, coherency] = self.coefficients();
        let rows = self.points.iter().flat_map(|(workers, measured)| {
            let cost = cost(*workers, contention, coherency);
            let share = of_one * workers / cost / measured;
            let by_contention = -share * (workers - 1.0) / cost;
            let all = [(true, share), (self.free[0], by_contention), (self.free[1], by_contention * workers)];
            all.into_iter().filter(|(free, _)| *free).map(|(_, derivative)| derivative)
        });
        Some(DMatrix::from_row_iterator(self.points.len(), self.parameters.len(), rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::below;
    use proptest::prelude::*;
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::SeedableRng;

    fn exact(of_one: f64, contention: f64, coherency: f64, counts: &[f64]) -> Vec<(f64, f64)> {
        counts.iter().map(|n| (*n, of_one * n / cost(*n, contention, coherency))).collect()
    }

    const COUNTS: [f64; 8] = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn what_is_exact_is_found(of_one in 0.01..1e9f64, contention in 0.0..0.5f64, coherency in 0.0..0.02f64) {
            let law = Law::fit(&exact(of_one, contention, coherency, &COUNTS)).unwrap();
            prop_assert!((law.of_one / of_one - 1.0).abs() < 1e-6, "{law:?}");
            prop_assert!((law.contention.value - contention).abs() < 1e-6, "{law:?}");
            prop_assert!((law.coherency.value - coherency).abs() < 1e-7, "{law:?}");
            prop_assert!(law.residual < 1e-6, "{law:?}");
        }

        #[test]
        fn a_little_noise_moves_the_coefficients_a_little(
            contention in 0.05..0.4f64, coherency in 0.001..0.02f64, noise in proptest::collection::vec(-0.02..0.02f64, 8)
        ) {
            let mut points = exact(1e6, contention, coherency, &COUNTS);
            points.iter_mut().zip(&noise).for_each(|(point, noise)| point.1 *= 1.0 + noise);
            let law = Law::fit(&points).unwrap();
            prop_assert!(law.residual < 0.03, "{law:?}");
            for n in COUNTS {
                let truth = 1e6 * n / cost(n, contention, coherency);
                prop_assert!((law.throughput(n) / truth - 1.0).abs() < 0.05, "{n}: {law:?}");
            }
            prop_assert!((law.contention.value - contention).abs() < 0.08, "{law:?}");
            prop_assert!((law.coherency.value - coherency).abs() < 0.005, "{law:?}");
        }

        #[test]
        fn no_coefficient_is_negative(throughputs in proptest::collection::vec(0.5..2.0f64, 8)) {
            let points: Vec<(f64, f64)> = COUNTS.iter().zip(&throughputs).map(|(n, x)| (*n, n * x)).collect();
            if let Ok(law) = Law::fit(&points) {
                for coefficient in [law.contention, law.coherency] {
                    prop_assert!(coefficient.value >= 0.0 && coefficient.value.is_finite(), "{law:?}");
                    prop_assert!(coefficient.error.is_some() || coefficient.value == 0.0, "{law:?}");
                }
            }
        }
    }

    #[test]
    fn the_errors_are_those_of_many_fits() {
        let (contention, coherency) = (0.2, 0.01);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        let mut noise = || 0.01 * (below(&mut rng, 2_001) as f64 / 1_000.0 - 1.0);
        let mut fit = || {
            let mut points = exact(1.0, contention, coherency, &COUNTS);
            points.iter_mut().for_each(|point| point.1 *= 1.0 + noise());
            Law::fit(&points).unwrap()
        };
        let fits: Vec<Law> = (0..400).map(|_| fit()).collect();
        let mean = |of: &dyn Fn(&Law) -> f64| fits.iter().map(of).sum::<f64>() / fits.len() as f64;
        for (of, truth) in
            [((|law| law.contention) as fn(&Law) -> Coefficient, contention), (|law| law.coherency, coherency)]
        {
            let spread = mean(&|law| (of(law).value - truth).powi(2)).sqrt();
            let said = mean(&|law| of(law).error.unwrap().powi(2)).sqrt();
            assert!((0.85..1.15).contains(&(said / spread)), "said {said}, seen {spread}");
        }
        // Uniform noise of up to 1 % has a standard deviation of 0.58 %.
        let residual = mean(&|law| law.residual.powi(2)).sqrt();
        assert!((0.0052..0.0064).contains(&residual), "{residual}");
    }

    #[test]
    fn more_than_linear_has_both_coefficients_at_their_bound() {
        let points: Vec<(f64, f64)> = COUNTS.iter().map(|n| (*n, n.powf(1.1))).collect();
        let law = Law::fit(&points).unwrap();
        let bound = Coefficient { value: 0.0, error: None };
        assert_eq!((law.contention, law.coherency, law.peak()), (bound, bound, None));
    }

    #[test]
    fn the_peak_is_where_more_workers_are_slower() {
        let law = Law::fit(&exact(1.0, 0.1, 0.01, &COUNTS)).unwrap();
        let peak = law.peak().unwrap();
        assert!((peak - (0.9f64 / 0.01).sqrt()).abs() < 1e-3, "{peak}");
        assert!(law.throughput(peak) > law.throughput(peak - 1.0) && law.throughput(peak) > law.throughput(peak + 1.0));
    }

    #[test]
    fn four_worker_counts_are_too_few() {
        let mut points = exact(1.0, 0.1, 0.01, &COUNTS[..4]);
        points.extend(exact(1.0, 0.1, 0.01, &COUNTS[..4]));
        assert_eq!(Law::fit(&points), Err(NoFit::TooFew(4)));
        assert_eq!(Law::fit(&[(1.0, 0.0), (2.0, 0.0), (3.0, 0.0), (4.0, 0.0), (5.0, 0.0)]), Err(NoFit::NotFound));
    }
}
