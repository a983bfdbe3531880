//! Which requests are let in, and who sent them.
//!
//! A page of another site can make a browser send requests here, and a name of another site
//! can be made to mean this machine (DNS rebinding). So the `Host` must be an address, or
//! `localhost`, or a name that the operator gave; an `Origin` must be this very service; and
//! beyond the loopback a token is asked for.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Service, problem::Problem};

/// The address that a connection comes from.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Who holds jobs and disk: an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client(pub String);

/// What may be had without the token: the page asks for it, and probes need none.
const OPEN: [&str; 5] = ["/", "/app.css", "/app.js", "/healthz", "/readyz"];

pub async fn guard(State(service): State<Arc<Service>>, mut request: Request, next: Next) -> Response {
    if let Err(problem) = check(&service, &request) {
        return problem.into_response();
    }
    let peer = request.extensions().get::<Peer>().map(|Peer(address)| address.ip());
    let client = peer.map_or_else(|| "unknown".to_owned(), |ip| ip.to_canonical().to_string());
    request.extensions_mut().insert(Client(client));
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn check(service: &Service, request: &Request) -> Result<(), Problem> {
    let host =
        host(request.headers(), request.uri()).filter(|host| is_ours(host, &service.options.host_names));
    let Some(host) = host else {
        return Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "the Host of this request is not one of this service",
            "use the address that the service listens at, or start it with --host-name",
        ));
    };
    let is_foreign = match request.headers().get(header::ORIGIN) {
        Some(origin) => origin.to_str().map_or(true, |origin| origin_host(origin) != Some(host)),
        None => request.headers().get("sec-fetch-site").is_some_and(|site| site == "cross-site"),
    };
    // A link from another site may lead to the page, and no further.
    if is_foreign && !(request.method() == Method::GET && request.uri().path() == "/") {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "this request comes from a page of another site",
            "open the service's own page",
        ));
    }
    match &service.options.token {
        Some(token) if !OPEN.contains(&request.uri().path()) && !has_token(request.headers(), token) => {
            Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "a token is needed",
                "send it as «Authorization: Bearer TOKEN»",
            ))
        }
        _ => Ok(()),
    }
}

/// With its port.
fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    // Only one, or a proxy and this service could see two.
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        (None, _) => uri.authority().map(|authority| authority.as_str()),
        _ => None,
    }
}

fn is_ours(host: &str, names: &[String]) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty() => name,
        _ => host,
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    address.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn origin_host(origin: &str) -> Option<&str> {
    origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"))
}

fn has_token(headers: &HeaderMap, token: &str) -> bool {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
    // Pictures and downloads of the page can send no header; its cookie is for this site only.
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies =
        cookies.flat_map(|value| value.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    bearer.is_some_and(|given| same(given, token))
        || cookies.any(|(name, given)| name == "steadymask_token" && same(given, token))
}

/// In a time that does not tell how much of it is right.
fn same(given: &str, token: &str) -> bool {
    let differences = given.bytes().zip(token.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == token.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_known_names_are_ours() {
        let names = ["masks.example".to_owned()];
        for host in
            ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000", "10.1.2.3", "Masks.example:80"]
        {
            assert!(is_ours(host, &names), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example:8000",
            "127.0.0.1.evil",
            "127.0.0.1:8000@evil",
            ":80",
        ] {
            assert!(!is_ours(host, &names), "{host}");
        }
    }

    #[test]
    fn a_token_comes_in_a_header_or_the_pages_cookie() {
        let headers = |name: header::HeaderName, value: &'static str| {
            HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
        };
        assert!(has_token(&headers(header::AUTHORIZATION, "Bearer secret"), "secret"));
        assert!(has_token(&headers(header::COOKIE, "a=b; steadymask_token=secret"), "secret"));
        for wrong in ["secret", "Bearer secre", "Bearer secrets", "Basic secret"] {
            assert!(!has_token(&headers(header::AUTHORIZATION, wrong), "secret"), "{wrong}");
        }
    }
}
