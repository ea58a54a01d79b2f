use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{Method, StatusCode},
    response::Response,
    routing::{self, MethodFilter},
};
use sealock_api::Operation;

use super::{
    call::{Call, ControlState, Reply},
    error::ControlError,
};

/// The routes of operations to their handlers.
#[derive(Default)]
pub(super) struct Routes {
    pub(super) router: Router<ControlState>,
    /// The method and path of each route.
    #[cfg(test)]
    pub(super) served: Vec<(Method, &'static str)>,
}

impl Routes {
    /// Routes an operation to `handler`.
    pub(super) fn on<O, R, F>(self, handler: fn(Call<O>) -> F) -> Self
    where
        O: Operation,
        R: Into<Reply<O::Answer>> + 'static,
        F: Future<Output = Result<R, ControlError>> + Send + 'static,
    {
        self.on_raw(move |call| render::<O, R, F>(handler(call)))
    }

    /// Routes an operation whose body has up to `limit` bytes to `handler`.
    pub(super) fn on_large<O, R, F>(self, limit: usize, handler: fn(Call<O>) -> F) -> Self
    where
        O: Operation,
        R: Into<Reply<O::Answer>> + 'static,
        F: Future<Output = Result<R, ControlError>> + Send + 'static,
    {
        let answer = move |call| render::<O, R, F>(handler(call));
        let route = routing::on(filter(&O::METHOD), answer);
        self.add::<O>(route.layer(DefaultBodyLimit::max(limit)))
    }

    /// Routes an operation whose answer is not JSON to `handler`.
    pub(super) fn on_raw<O, H, F>(self, handler: H) -> Self
    where
        O: Operation,
        H: Fn(Call<O>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<Response, ControlError>> + Send + 'static,
    {
        self.add::<O>(routing::on(filter(&O::METHOD), handler))
    }

    fn add<O: Operation>(mut self, route: routing::MethodRouter<ControlState>) -> Self {
        self.router = self.router.route(O::PATH, route);
        #[cfg(test)]
        self.served.push((O::METHOD, O::PATH));
        self
    }
}

async fn render<O, R, F>(answer: F) -> Result<Response, ControlError>
where
    O: Operation,
    R: Into<Reply<O::Answer>>,
    F: Future<Output = Result<R, ControlError>>,
{
    let usual = O::STATUSES.first().copied().unwrap_or(200);
    let usual = StatusCode::from_u16(usual).unwrap_or_default();
    let reply: Reply<O::Answer> = answer.await?.into();
    Ok(reply.render(usual))
}

/// Returns the filter for a method. A route for GET also serves HEAD.
fn filter(method: &Method) -> MethodFilter {
    match *method {
        Method::DELETE => MethodFilter::DELETE,
        Method::PATCH => MethodFilter::PATCH,
        Method::POST => MethodFilter::POST,
        Method::PUT => MethodFilter::PUT,
        _ => MethodFilter::GET,
    }
}
