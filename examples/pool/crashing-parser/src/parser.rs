//! A parser with two bugs, as a library may have them. It counts the numbers in nested lists: `[1, [2, 3] /* four */]`.

/// How many numbers there are.
pub fn count_numbers(text: &str) -> Result<usize, String> {
    let mut parser = Parser { rest: text };
    let numbers = parser.value()?;
    parser.skip_blanks();
    if parser.rest.is_empty() { Ok(numbers) } else { Err(parser.unexpected("the end")) }
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    /// The first bug: it calls itself for each list in a list, and nothing bounds how often. Enough brackets overflow the
    /// stack, which ends the process and is no panic that could be caught.
    fn value(&mut self) -> Result<usize, String> {
        if !self.take("[") {
            return self.number();
        }
        let mut numbers = 0;
        while !self.take("]") {
            numbers += self.value()?;
            self.take(",");
        }
        Ok(numbers)
    }

    fn number(&mut self) -> Result<usize, String> {
        let digits = self.rest.chars().take_while(char::is_ascii_digit).count();
        if digits == 0 {
            return Err(self.unexpected("a number"));
        }
        self.rest = &self.rest[digits..];
        Ok(1)
    }

    fn take(&mut self, sign: &str) -> bool {
        self.skip_blanks();
        let Some(rest) = self.rest.strip_prefix(sign) else { return false };
        self.rest = rest;
        true
    }

    /// The second bug: a comment that does not end is searched for its end for ever.
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
        while self.rest.starts_with("/*") {
            while !self.rest.starts_with("*/") {
                let next = self.rest.chars().next().map_or(0, char::len_utf8);
                self.rest = &self.rest[next..];
            }
            self.rest = self.rest[2..].trim_start();
        }
    }

    fn unexpected(&self, wanted: &str) -> String {
        match self.rest.chars().next() {
            Some(found) => format!("expected {wanted}, found `{found}`"),
            None => format!("expected {wanted}, found the end"),
        }
    }
}
