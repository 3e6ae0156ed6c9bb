use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::parse::{ParseStream, Parser as _};
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, ItemFn, ReturnType, Signature, Visibility};

/// The function as it was, followed by its export or by a compile error that says what to change.
///
/// The function is kept in both cases, so that one mistake does not draw a second message about a missing name.
pub(crate) fn handler(arguments: &TokenStream, item: TokenStream) -> TokenStream {
    let function: ItemFn = match syn::parse2(item.clone()) {
        Ok(function) => function,
        // What is wrong in its body the compiler says best.
        Err(_) if begins_as_function(item.clone()) => return item,
        Err(error) => {
            let error =
                syn::Error::new(error.span(), "`#[codenode::handler]` belongs on a function").to_compile_error();
            return quote!(#item #error);
        }
    };
    let rest = match check(arguments, &function) {
        Ok(()) => export(&function),
        Err(error) => error.to_compile_error(),
    };
    quote!(#function #rest)
}

fn begins_as_function(item: TokenStream) -> bool {
    let begins = |input: ParseStream<'_>| {
        input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        input.parse::<Signature>()?;
        input.parse::<TokenStream>()
    };
    begins.parse2(item).is_ok()
}

/// What can be seen without types. That the argument is an `Event`, and so on, is the compiler's to say, at the same place in the source.
fn check(arguments: &TokenStream, function: &ItemFn) -> syn::Result<()> {
    let signature = &function.sig;
    if !arguments.is_empty() {
        return Err(syn::Error::new_spanned(arguments, "`#[codenode::handler]` takes no arguments"));
    }
    if let Some(keyword) = &signature.asyncness {
        return Err(syn::Error::new_spanned(keyword, "a handler is not `async`: it runs one event from start to end"));
    }
    if let Some(keyword) = &signature.unsafety {
        return Err(syn::Error::new_spanned(keyword, "a handler is not `unsafe`"));
    }
    if let Some(abi) = &signature.abi {
        return Err(syn::Error::new_spanned(abi, "a handler is a plain Rust function: remove `extern`"));
    }
    if !signature.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(&signature.generics, "a handler has no generic parameters"));
    }
    let mut inputs = signature.inputs.iter();
    match (inputs.next(), inputs.next()) {
        (Some(FnArg::Typed(_)), None) => {}
        (Some(FnArg::Receiver(receiver)), _) => {
            return Err(syn::Error::new_spanned(receiver, "a handler is a free function: it has no `self`"));
        }
        (None, _) => {
            return Err(syn::Error::new_spanned(
                &signature.ident,
                "a handler takes the event: write `event: codenode::Event`",
            ));
        }
        (Some(FnArg::Typed(_)), Some(second)) => {
            return Err(syn::Error::new_spanned(second, "a handler takes the event and nothing else"));
        }
    }
    match &signature.output {
        ReturnType::Type(..) => Ok(()),
        ReturnType::Default => {
            let message = "a handler gives back its reply: write `-> Result<codenode::Reply, codenode::Error>`";
            Err(syn::Error::new_spanned(&signature.ident, message))
        }
    }
}

fn export(function: &ItemFn) -> TokenStream {
    let name = &function.sig.ident;
    // The span makes the compiler point at the signature when a type in it is not the expected one.
    let handler = quote_spanned! {function.sig.span()=>
        const HANDLER: fn(::codenode::Event) -> ::core::result::Result<::codenode::Reply, ::codenode::Error> = #name;
    };
    quote! {
        const _: () = {
            #handler
            #[cfg(not(target_arch = "wasm32"))]
            const _: fn(::codenode::Event) -> ::core::result::Result<::codenode::Reply, ::codenode::Error> = HANDLER;

            #[cfg(target_arch = "wasm32")]
            struct Node;

            #[cfg(target_arch = "wasm32")]
            impl ::codenode::guest::Guest for Node {
                fn handle(event: ::std::string::String) -> ::core::result::Result<::std::string::String, ::std::string::String> {
                    ::codenode::guest::run(event, HANDLER)
                }
            }

            #[cfg(target_arch = "wasm32")]
            ::codenode::guest::export!(Node with_types_in ::codenode::guest::bindings);
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(item: TokenStream) -> String {
        handler(&TokenStream::new(), item).to_string()
    }

    #[test]
    fn a_handler_is_kept_and_exported() {
        let item = quote! {
            /// Answers.
            fn price(event: Event) -> Result<Reply, Error> { Ok(Reply::text("hi")) }
        };
        let code = expanded(item.clone());
        assert!(code.starts_with(&item.to_string()), "{code}");
        assert!(code.contains("= price ;"), "{code}");
        assert!(code.contains("export ! (Node with_types_in :: codenode :: guest :: bindings)"), "{code}");
        assert!(!code.contains("compile_error"), "{code}");
        syn::parse_str::<syn::File>(&code).expect("the expansion is Rust");
    }

    #[test]
    fn a_wrong_signature_says_what_to_write() {
        for (item, message) in [
            (
                quote!(
                    fn h() -> R {}
                ),
                "write `event: codenode::Event`",
            ),
            (
                quote!(
                    fn h(event: Event) {}
                ),
                "write `-> Result<codenode::Reply, codenode::Error>`",
            ),
            (
                quote!(
                    fn h(event: Event, context: u8) -> R {}
                ),
                "the event and nothing else",
            ),
            (
                quote!(
                    fn h(&self) -> R {}
                ),
                "no `self`",
            ),
            (
                quote!(
                    async fn h(event: Event) -> R {}
                ),
                "not `async`",
            ),
            (
                quote!(
                    unsafe fn h(event: Event) -> R {}
                ),
                "not `unsafe`",
            ),
            (
                quote!(
                    extern "C" fn h(event: Event) -> R {}
                ),
                "remove `extern`",
            ),
            (
                quote!(
                    fn h<T>(event: T) -> R {}
                ),
                "no generic parameters",
            ),
            (
                quote!(
                    struct H;
                ),
                "belongs on a function",
            ),
        ] {
            let code = expanded(item.clone());
            assert!(code.contains("compile_error"), "{code}");
            assert!(code.contains(message), "{message}: {code}");
            assert!(!code.contains("export !"), "{code}");
            assert!(code.starts_with(&item.to_string()), "{code}");
        }
    }

    #[test]
    fn a_body_that_is_wrong_is_the_compilers_to_tell() {
        let item = quote!(
            pub fn h(event: Event) -> R {
                let a = event b
            }
        );
        assert_eq!(expanded(item.clone()), item.to_string());
    }

    #[test]
    fn arguments_are_refused() {
        let code = handler(
            &quote!(name = "x"),
            quote!(
                fn h(event: Event) -> R {}
            ),
        )
        .to_string();
        assert!(code.contains("takes no arguments"), "{code}");
    }
}
