//! Compresses each document, as a web server or a backup does.
//!
//! A key is one document, and the output is its gzip file. The documents are made by the constructor and lie in the workload.
//! The second longest is half as long as the longest, the third a third, and so on, in no order. The longest key alone takes a
//! good part of the whole time, so the job shows what a strategy does with unequal keys.

use std::error::Error;
use std::io::Write;
use std::iter;
use std::ops::RangeInclusive;

use fanout::{Deserialize, Serialize, Workload};
use fastrand::Rng;
use flate2::Compression;
use flate2::write::GzEncoder;

/// How many different words there are: about as many as a newspaper uses.
const WORDS: usize = 10_000;

/// The documents.
#[derive(Serialize, Deserialize)]
pub struct Compress {
    documents: Vec<String>,
    level: u32,
}

impl Workload for Compress {
    /// A gzip file.
    type Output = Vec<u8>;

    fn keys(&self) -> usize {
        self.documents.len()
    }

    fn expand(&self, index: usize) -> Vec<u8> {
        let mut file = GzEncoder::new(Vec::new(), Compression::new(self.level));
        file.write_all(self.documents[index].as_bytes())
            .and_then(|()| file.finish())
            .expect("memory takes what is written")
    }
}

fanout::job!(Compress, new);

/// The job that the arguments ask for: how many documents, how many bytes they have together, and how hard to compress.
fn new(arguments: &[String]) -> Result<Compress, Box<dyn Error + Send + Sync>> {
    if arguments.len() > 3 {
        return Err(format!("expected at most 3 arguments, documents, bytes and level, not {}", arguments.len()).into());
    }
    let documents = number("how many documents", arguments.first(), 200, 1..=1_000_000)?;
    let bytes = number("bytes in all", arguments.get(1), 40_000_000, 1..=100_000_000_000)?;
    let level = number("level", arguments.get(2), 6, 0..=9)? as u32;
    let mut rng = Rng::with_seed(0);
    let mut lengths = lengths(documents, bytes);
    rng.shuffle(&mut lengths);
    let words = words(&mut rng);
    let documents = lengths.into_iter().map(|length| document(&mut rng, &words, length)).collect();
    Ok(Compress { documents, level })
}

/// Lengths that are to each other as 1, 1/2, 1/3 …, and `bytes` together.
fn lengths(documents: usize, bytes: usize) -> Vec<usize> {
    let weights = (1..=documents).map(|rank| (1 << 32) / rank as u128);
    let all: u128 = weights.clone().sum();
    let ends = weights.scan(0, |sum, weight| {
        *sum += weight;
        Some((bytes as u128 * *sum / all) as usize)
    });
    ends.scan(0, |start, end| Some(end - std::mem::replace(start, end))).collect()
}

/// Words to draw from. Each stands there as often as it is used: by Zipf's law, the second half as often as the first.
fn words(rng: &mut Rng) -> Vec<String> {
    let mut word = || -> String {
        let length = rng.usize(2..=10);
        iter::repeat_with(|| rng.lowercase()).take(length).collect()
    };
    (1..=WORDS).flat_map(|rank| iter::repeat_n(word(), WORDS / rank)).collect()
}

fn document(rng: &mut Rng, words: &[String], length: usize) -> String {
    let mut text = String::with_capacity(length + 11);
    while text.len() < length {
        text.push_str(&words[rng.usize(..words.len())]);
        text.push(' ');
    }
    text.truncate(length);
    text
}

fn number(what: &str, given: Option<&String>, default: usize, range: RangeInclusive<usize>) -> Result<usize, String> {
    let Some(given) = given else { return Ok(default) };
    let (least, most) = range.clone().into_inner();
    let wrong = || format!("{what}: expected a number from {least} to {most}, not {given}");
    given.parse().ok().filter(|number| range.contains(number)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    fn made(arguments: &[&str]) -> Result<Compress, String> {
        let arguments: Vec<_> = arguments.iter().map(|argument| argument.to_string()).collect();
        new(&arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn each_output_is_its_document_and_smaller() {
        let job = made(&["20", "100000"]).unwrap();
        assert_eq!(job.keys(), 20);
        for (index, document) in job.documents.iter().enumerate() {
            let file = job.expand(index);
            let mut text = String::new();
            GzDecoder::new(&file[..]).read_to_string(&mut text).unwrap();
            assert_eq!(&text, document);
            assert!(file.len() < text.len());
        }
    }

    #[test]
    fn lengths_fall_as_one_over_their_rank() {
        assert_eq!(lengths(2, 300), [200, 100]);
        assert_eq!(lengths(3, 1_100), [600, 300, 200]);
        assert_eq!(lengths(3, 1), [0, 0, 1]);
        assert_eq!(made(&["20", "100000"]).unwrap().documents.iter().map(String::len).sum::<usize>(), 100_000);
    }

    #[test]
    fn every_run_has_the_same_documents() {
        let (job, again) = (made(&["5", "5000"]).unwrap(), made(&["5", "5000"]).unwrap());
        assert_eq!(job.documents, again.documents);
    }

    #[test]
    fn wrong_arguments_are_told() {
        let told = |arguments: &[&str]| made(arguments).err().unwrap();
        assert_eq!(told(&["x"]), "how many documents: expected a number from 1 to 1000000, not x");
        assert_eq!(told(&["1", "-1"]), "bytes in all: expected a number from 1 to 100000000000, not -1");
        assert_eq!(told(&["1", "1", "10"]), "level: expected a number from 0 to 9, not 10");
        assert_eq!(told(&["1"; 4]), "expected at most 3 arguments, documents, bytes and level, not 4");
    }
}
