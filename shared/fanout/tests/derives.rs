//! `fanout`'s derives write what serde's own do.

use std::collections::BTreeMap;
use std::fmt::Debug;

use fanout::{Deserialize, DeserializeOwned, Serialize};

/// The same types twice: derived by fanout, and by serde itself.
macro_rules! types {
    () => {
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub(crate) enum Tree<T> {
            Leaf(T),
            Node {
                left: Box<Tree<T>>,
                #[serde(rename = "right")]
                others: Option<Vec<T>>,
            },
            Empty,
        }

        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(try_from = "u64", into = "u64")]
        pub(crate) struct Even(u64);

        impl TryFrom<u64> for Even {
            type Error = String;
            fn try_from(number: u64) -> Result<Self, String> {
                if number.is_multiple_of(2) { Ok(Even(number)) } else { Err("odd".to_owned()) }
            }
        }

        impl From<Even> for u64 {
            fn from(even: Even) -> u64 {
                even.0
            }
        }

        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(transparent)]
        pub(crate) struct Bytes<const N: usize>(Vec<u8>);

        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub(crate) struct Unit;

        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub(crate) struct All<T> {
            tree: Tree<T>,
            even: Even,
            bytes: Bytes<3>,
            unit: Unit,
            #[serde(default)]
            map: BTreeMap<String, (i8, f64)>,
        }

        pub(crate) fn all() -> All<u32> {
            All {
                tree: Tree::Node {
                    left: Box::new(Tree::Node { left: Box::new(Tree::Leaf(7)), others: None }),
                    others: Some(vec![1, 2]),
                },
                even: Even(8),
                bytes: Bytes(vec![1, 2, 3]),
                unit: Unit,
                map: BTreeMap::from([("a".to_owned(), (-1, 0.5))]),
            }
        }
    };
}

types!();

mod by_serde {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    types!();
}

fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> Vec<u8> {
    let bytes = postcard::to_stdvec(value).unwrap();
    assert_eq!(&postcard::from_bytes::<T>(&bytes).unwrap(), value);
    bytes
}

#[test]
fn they_write_and_read_what_serdes_do() {
    assert_eq!(comes_back(&all()), comes_back(&by_serde::all()));
    assert_eq!(comes_back(&Tree::<u8>::Empty), comes_back(&by_serde::Tree::<u8>::Empty));
    assert!(postcard::from_bytes::<Even>(&[7]).is_err());
}
