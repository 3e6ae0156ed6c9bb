use std::cell::RefCell;

use crate::http::{Request, Response};

type Service = Box<dyn FnMut(&Request) -> Response>;

thread_local! {
    static SERVICE: RefCell<Option<Service>> = const { RefCell::new(None) };
}

/// Answers the requests of this thread until it is dropped.
#[must_use = "it answers until it is dropped"]
pub struct Answering(());

/// Takes the place of every service that a handler calls, until what it gives back is dropped.
pub fn http(service: impl FnMut(&Request) -> Response + 'static) -> Answering {
    SERVICE.set(Some(Box::new(service)));
    Answering(())
}

pub(crate) fn answered(request: &Request) -> Option<Response> {
    SERVICE.with_borrow_mut(|service| service.as_mut().map(|service| service(request)))
}

impl Drop for Answering {
    fn drop(&mut self) {
        SERVICE.set(None);
    }
}
