//! Enums of the platform's that stay open: a name that we don't know is kept as it is.

/// Declares such an enum from its known names.
macro_rules! open_enum {
    (
        $(#[$about:meta])*
        pub enum $name:ident { $($(#[$variant_about:meta])* $variant:ident = $text:literal,)+ }
    ) => {
        $(#[$about])*
        ///
        /// The platform may know more names than this list.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_about])* $variant,)+
            /// A name that is not in this list; empty stands for none.
            Other(String),
        }

        impl $name {
            /// The platform's name.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(name) => name,
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::Other(String::new())
            }
        }

        impl From<std::borrow::Cow<'_, str>> for $name {
            fn from(name: std::borrow::Cow<'_, str>) -> Self {
                match name.as_ref() {
                    $($text => Self::$variant,)+
                    _ => Self::Other(name.into_owned()),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}
