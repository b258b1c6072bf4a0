//! A generated part in a text that people write.

/// Where the generated part begins.
pub const BEGIN: &str = "<!-- fanout:table:begin -->";

/// Where it ends.
pub const END: &str = "<!-- fanout:table:end -->";

/// There is no one place for the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there must be one line `{BEGIN}`, and one line `{END}` below it")]
pub struct NoMarkers;

/// `text` with what is between the markers replaced by `part`.
pub fn splice(text: &str, part: &str) -> Result<String, NoMarkers> {
    let once = |marker| text.matches(marker).count() == 1;
    if !once(BEGIN) || !once(END) {
        return Err(NoMarkers);
    }
    let (before, rest) = text.split_once(BEGIN).ok_or(NoMarkers)?;
    let (_, after) = rest.split_once(END).ok_or(NoMarkers)?;
    Ok(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", part.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let text = format!("# Title\n\n{BEGIN}\nold\n{END}\n\nThe end.\n");
        let new = splice(&text, "| new |\n").unwrap();
        assert_eq!(new, format!("# Title\n\n{BEGIN}\n\n| new |\n\n{END}\n\nThe end.\n"));
        assert_eq!(splice(&new, "| new |\n").unwrap(), new);
    }

    #[test]
    fn missing_doubled_or_crossed_markers_are_refused() {
        for text in ["", BEGIN, END, &format!("{END}{BEGIN}"), &format!("{BEGIN}{BEGIN}{END}")] {
            assert_eq!(splice(text, "new"), Err(NoMarkers), "{text}");
        }
    }
}
