//! Where labels stand, and how much room a text takes.

/// How wide a text is: nobody knows before a reader's font shows it, so this is that of DejaVu Sans, which is wider than most,
/// with each letter as wide as the widest of its kind.
pub(super) fn width(text: &str, size: f64) -> f64 {
    let one = |char: char| match char {
        'f' | 'i' | 'j' | 'l' | 'r' | 't' | 'I' | ' ' | '-' | '.' | ',' | ':' | ';' | '\'' | '(' | ')' | '[' | ']'
        | '|' => 0.42,
        '²' | '³' | '¹' | '⁰' | '⁴'..='⁹' | '⁻' => 0.55,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 1.0,
        'a'..='z' | '0'..='9' | '_' | 'µ' => 0.65,
        'A'..='Z' | '×' | '−' => 0.85,
        _ => 1.0,
    };
    text.chars().map(one).sum::<f64>() * size
}

/// The texts' greatest width.
pub(super) fn widest<'a>(texts: impl IntoIterator<Item = &'a str>, size: f64) -> f64 {
    texts.into_iter().map(|text| width(text, size)).fold(0.0, f64::max)
}

/// Where labels stand that want to stand at `wanted`: at least `gap` apart, in the same order, between `low` and `high` if they fit,
/// and with the least sum of squared distances from where they want to be.
///
/// Without the gaps that is isotonic regression, which pools neighbours in the wrong order into their mean: Barlow, Bartholomew,
/// Bremner and Brunk, "Statistical inference under order restrictions", 1972. Its result within bounds is its result, clamped.
pub(super) fn apart(wanted: &[f64], gap: f64, low: f64, high: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    // Each pool is the sum of what its labels want, less the gaps above them, and how many they are.
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (rank, &index) in order.iter().enumerate() {
        let mut pool = (wanted[index] - rank as f64 * gap, 1);
        while let Some(&(sum, count)) = pools.last().filter(|(sum, count)| sum / *count as f64 > pool.0 / pool.1 as f64)
        {
            pools.pop();
            pool = (sum + pool.0, count + pool.1);
        }
        pools.push(pool);
    }
    let last = (high - gap * wanted.len().saturating_sub(1) as f64).max(low);
    let places =
        pools.iter().flat_map(|&(sum, count)| std::iter::repeat_n((sum / count as f64).clamp(low, last), count));
    let mut placed = vec![0.0; wanted.len()];
    for (rank, (place, index)) in places.zip(order).enumerate() {
        placed[index] = place + rank as f64 * gap;
    }
    placed
}

/// A text in lines of at most this width, as long as its words are not wider.
pub(super) fn wrapped(text: &str, most: f64, size: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut().filter(|line| width(line, size) + width(" ", size) + width(word, size) <= most) {
            Some(line) => *line = format!("{line} {word}"),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn labels_are_apart_in_order_and_within_bounds(wanted in proptest::collection::vec(-50.0..450.0f64, 0..20)) {
            let placed = apart(&wanted, 18.0, 0.0, 400.0);
            let mut pairs: Vec<(f64, f64)> = wanted.iter().copied().zip(placed).collect();
            pairs.sort_by(|a, b| a.1.total_cmp(&b.1));
            for pair in pairs.windows(2) {
                prop_assert!(pair[1].1 - pair[0].1 >= 18.0 - 1e-6 && pair[1].0 >= pair[0].0, "{pair:?}");
            }
            prop_assert!(pairs.iter().all(|(_, place)| (-1e-6..=400.0 + 1e-6).contains(place)), "{pairs:?}");
        }

        #[test]
        fn labels_that_are_apart_stay(steps in proptest::collection::vec(18.0..40.0f64, 1..10)) {
            let wanted: Vec<f64> = steps.iter().scan(0.0, |at, step| { *at += step; Some(*at) }).collect();
            let placed = apart(&wanted, 18.0, 0.0, 400.0);
            prop_assert!(wanted.iter().zip(&placed).all(|(a, b)| (a - b).abs() < 1e-6), "{wanted:?} {placed:?}");
        }
    }

    #[test]
    fn labels_of_one_value_spread_to_both_sides() {
        assert_eq!(apart(&[100.0, 100.0, 100.0], 20.0, 0.0, 400.0), [80.0, 100.0, 120.0]);
        assert_eq!(apart(&[0.0, 0.0], 20.0, 0.0, 400.0), [0.0, 20.0]);
        assert_eq!(apart(&[400.0, 399.0], 20.0, 0.0, 400.0), [400.0, 380.0]);
    }

    #[test]
    fn texts_are_wrapped_between_words() {
        assert_eq!(wrapped("one two  three", 60.0, 10.0), ["one two", "three"]);
        assert_eq!(wrapped("", 60.0, 10.0), Vec::<String>::new());
    }
}
