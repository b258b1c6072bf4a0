//! Makes a thumbnail of each photo, as a gallery or an upload service does.
//!
//! A key is one photo. Its JPEG file is decoded, made small and encoded as PNG, which is the output. The files are made by
//! the constructor and lie in the workload, so that a process strategy sends all of them to each worker. Sizes differ, so keys
//! take unequal times. The job shows what a strategy does with keys of some ten milliseconds that read and return some bytes.

use std::error::Error;
use std::io::Cursor;
use std::ops::RangeInclusive;

use fanout::{Deserialize, Serialize, Workload};
use fastrand::Rng;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{ImageFormat, Rgb, RgbImage};

/// The longer side of a thumbnail, in pixels.
const THUMBNAIL: u32 = 200;

/// How many of the photos differ; the rest are copies of these. Each program of a measurement draws them anew, and a hundred
/// would take longer than the job itself.
const DISTINCT: usize = 6;

/// The photos, as JPEG files.
#[derive(Serialize, Deserialize)]
pub struct Thumbnails {
    files: Vec<Vec<u8>>,
}

impl Workload for Thumbnails {
    /// A PNG file.
    type Output = Vec<u8>;

    fn keys(&self) -> usize {
        self.files.len()
    }

    fn expand(&self, index: usize) -> Vec<u8> {
        let photo =
            image::load_from_memory_with_format(&self.files[index], ImageFormat::Jpeg).expect("it is a JPEG file");
        let mut file = Cursor::new(Vec::new());
        let thumbnail = photo.resize(THUMBNAIL, THUMBNAIL, FilterType::Lanczos3);
        thumbnail.write_to(&mut file, ImageFormat::Png).expect("memory takes what is written");
        file.into_inner()
    }
}

fanout::job!(Thumbnails, new);

/// The job that the arguments ask for: how many images, and how long their sides are on average.
fn new(arguments: &[String]) -> Result<Thumbnails, Box<dyn Error + Send + Sync>> {
    if arguments.len() > 2 {
        return Err(format!("expected at most 2 arguments, images and edge, not {}", arguments.len()).into());
    }
    let images = number("how many images", arguments.first(), 100, 1..=1_000_000)?;
    let edge = number("edge in pixels", arguments.get(1), 1_000, 2..=20_000)? as u32;
    let photos = (0..DISTINCT.min(images)).map(|seed| photo(seed as u64, edge)).collect::<Result<Vec<_>, _>>()?;
    Ok(Thumbnails { files: photos.iter().cycle().take(images).cloned().collect() })
}

/// A JPEG file with soft colours and some grain. Each side has between half and one and a half times `edge` pixels.
fn photo(seed: u64, edge: u32) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let mut rng = Rng::with_seed(seed);
    let mut side = || rng.u32(edge / 2..=edge / 2 + edge);
    let (width, height) = (side(), side());
    let colours = RgbImage::from_fn(8, 8, |_, _| Rgb([rng.u8(..), rng.u8(..), rng.u8(..)]));
    let mut picture = imageops::resize(&colours, width, height, FilterType::Triangle);
    picture.iter_mut().for_each(|value| *value = value.saturating_add(rng.u8(..16)));
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, 85).encode_image(&picture)?;
    Ok(file)
}

fn number(what: &str, given: Option<&String>, default: usize, range: RangeInclusive<usize>) -> Result<usize, String> {
    let Some(given) = given else { return Ok(default) };
    let (least, most) = range.clone().into_inner();
    let wrong = || format!("{what}: expected a number from {least} to {most}, not {given}");
    given.parse().ok().filter(|number| range.contains(number)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(arguments: &[&str]) -> Result<Thumbnails, String> {
        let arguments: Vec<_> = arguments.iter().map(|argument| argument.to_string()).collect();
        new(&arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn a_thumbnail_is_a_png_file_with_the_photos_proportions() {
        let job = made(&["12", "100"]).unwrap();
        assert_eq!(job.keys(), 12);
        for index in 0..job.keys() {
            let photo = image::load_from_memory(&job.files[index]).unwrap();
            let thumbnail = image::load_from_memory_with_format(&job.expand(index), ImageFormat::Png).unwrap();
            assert_eq!(thumbnail.width().max(thumbnail.height()), THUMBNAIL);
            assert_eq!(thumbnail.width() > thumbnail.height(), photo.width() > photo.height());
        }
    }

    #[test]
    fn photos_differ_in_size_and_are_the_same_in_every_run() {
        let (job, again) = (made(&["11", "100"]).unwrap(), made(&["11", "100"]).unwrap());
        assert_eq!(job.files, again.files);
        assert_eq!(job.expand(3), again.expand(3));
        assert_ne!(job.files[0].len(), job.files[1].len());
        assert_eq!(job.files[0], job.files[DISTINCT]);
    }

    #[test]
    fn wrong_arguments_are_told() {
        let told = |arguments: &[&str]| made(arguments).err().unwrap();
        assert_eq!(told(&["x"]), "how many images: expected a number from 1 to 1000000, not x");
        assert_eq!(told(&["0"]), "how many images: expected a number from 1 to 1000000, not 0");
        assert_eq!(told(&["5", "1"]), "edge in pixels: expected a number from 2 to 20000, not 1");
        assert_eq!(told(&["1", "2", "3"]), "expected at most 2 arguments, images and edge, not 3");
    }
}
