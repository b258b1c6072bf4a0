//! Serde's derives for a crate that depends on `fanout` alone.
//!
//! What serde's own derives write begins with `extern crate serde`, so that whoever uses them must have `serde` in their own
//! manifest; an attribute that says otherwise (`#[serde(crate = "…")]`) cannot be added by a derive. Serde can also be derived
//! for the type of another crate, by a copy of its definition (<https://serde.rs/remote-derive.html>). So these write such a copy,
//! with that attribute, and leave all else to serde.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::{format_ident, quote};
use syn::punctuated::Punctuated;
use syn::{Attribute, Fields, Generics, Item, Meta, Token, Visibility, parse_quote};

/// Serde's `Serialize`, with all of its attributes but `remote` and `crate`. Serde must know each type parameter: with
/// `#[serde(bound)]`, derive serde's own.
#[proc_macro_derive(Serialize, attributes(serde))]
pub fn serialize(input: TokenStream) -> TokenStream {
    let write = |copy: &Copy| {
        let Copy { definition, name, of, generics } = copy;
        let bounded = bounded(generics, &parse_quote!(::fanout::serde::Serialize));
        let (parameters, _, bounds) = bounded.split_for_impl();
        quote! {
            #[derive(::fanout::serde::Serialize)]
            #definition

            impl #parameters ::fanout::serde::Serialize for #of #bounds {
                fn serialize<FanoutS: ::fanout::serde::Serializer>(
                    &self,
                    serializer: FanoutS,
                ) -> ::core::result::Result<FanoutS::Ok, FanoutS::Error> {
                    #name::serialize(self, serializer)
                }
            }
        }
    };
    derive(input, write)
}

/// Serde's `Deserialize`, with all of its attributes but `remote` and `crate`. Serde must know each type parameter: with
/// `#[serde(bound)]`, derive serde's own.
#[proc_macro_derive(Deserialize, attributes(serde))]
pub fn deserialize(input: TokenStream) -> TokenStream {
    let write = |copy: &Copy| {
        let Copy { definition, name, of, generics } = copy;
        let mut bounded = bounded(generics, &parse_quote!(::fanout::serde::Deserialize<'fanout_de>));
        bounded.params.insert(0, parse_quote!('fanout_de));
        let (parameters, _, bounds) = bounded.split_for_impl();
        quote! {
            #[derive(::fanout::serde::Deserialize)]
            #definition

            impl #parameters ::fanout::serde::Deserialize<'fanout_de> for #of #bounds {
                fn deserialize<FanoutD: ::fanout::serde::Deserializer<'fanout_de>>(
                    deserializer: FanoutD,
                ) -> ::core::result::Result<Self, FanoutD::Error> {
                    #name::deserialize(deserializer)
                }
            }
        }
    };
    derive(input, write)
}

/// A copy of a type, by which serde knows the type itself.
struct Copy {
    /// With the attributes for serde.
    definition: Tokens,
    /// What the copy is called, its parameters left to be found.
    name: syn::Ident,
    /// The type itself, with its parameters.
    of: Tokens,
    generics: Generics,
}

fn derive(input: TokenStream, write: impl Fn(&Copy) -> Tokens) -> TokenStream {
    let written = syn::parse(input).and_then(copy).map(|copy| write(&copy));
    let written = written.unwrap_or_else(|error| error.to_compile_error());
    // In a place of its own, so that the copy's name is nobody else's.
    quote!(const _: () = { #written };).into()
}

fn copy(mut item: Item) -> syn::Result<Copy> {
    let (name, generics, attributes) = match &mut item {
        Item::Struct(item) => {
            item.vis = Visibility::Inherited;
            of_serde(&mut item.fields);
            (&mut item.ident, item.generics.clone(), &mut item.attrs)
        }
        Item::Enum(item) => {
            item.vis = Visibility::Inherited;
            for variant in &mut item.variants {
                variant.attrs.retain(is_of_serde);
                variant.discriminant = None;
                of_serde(&mut variant.fields);
            }
            (&mut item.ident, item.generics.clone(), &mut item.attrs)
        }
        other => return Err(syn::Error::new_spanned(other, "serde knows structs and enums")),
    };
    attributes.retain(is_of_serde);
    attributes.iter().try_for_each(is_known)?;
    let (_, arguments, _) = generics.split_for_impl();
    let of = quote!(#name #arguments);
    let remote = name.to_string();
    *name = format_ident!("FanoutCopyOf{name}");
    let name = name.clone();
    attributes.push(parse_quote!(#[serde(crate = "::fanout::serde", remote = #remote)]));
    // The fields of the copy are never read.
    let definition = quote!(#[allow(dead_code, missing_docs, non_snake_case, clippy::all)] #item);
    Ok(Copy { definition, name, of, generics })
}

/// That the attribute of a type is none that the copy has already.
fn is_known(attribute: &Attribute) -> syn::Result<()> {
    const OTHERS: [&str; 2] = ["remote", "crate"];
    let Meta::List(list) = &attribute.meta else { return Ok(()) };
    let said = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)?;
    match said.iter().find(|meta| OTHERS.iter().any(|other| meta.path().is_ident(other))) {
        None => Ok(()),
        Some(other) => {
            let name = other.path().require_ident()?;
            let told =
                format!("`{name}` needs serde itself: put `serde` into Cargo.toml, and derive `serde::Serialize`");
            Err(syn::Error::new_spanned(other, told))
        }
    }
}

/// Takes what other derives are told away.
fn of_serde(fields: &mut Fields) {
    fields.iter_mut().for_each(|field| field.attrs.retain(is_of_serde));
}

fn is_of_serde(attribute: &Attribute) -> bool {
    attribute.path().is_ident("serde") || attribute.path().is_ident("cfg")
}

/// The parameters, each of which serde knows too.
fn bounded(generics: &Generics, bound: &syn::TypeParamBound) -> Generics {
    let mut generics = generics.clone();
    generics.type_params_mut().for_each(|parameter| parameter.bounds.push(bound.clone()));
    generics
}
