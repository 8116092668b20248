//! Single requests to a cluster: a line and a body in, a code and a value out.

use api::{Value, json};
use http_body_util::BodyExt as _;
use server::{Body, User};

use crate::Cluster;

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// The code.
    pub code: u16,
    /// The body; a text where it is no JSON.
    pub body: Value,
    /// Values of `Warning` headers.
    pub warnings: Vec<String>,
}

impl Reply {
    /// Returns the text at a path of field names, or nothing.
    #[must_use]
    pub fn text(&self, path: &[&str]) -> &str {
        self.body.str_at(path).unwrap_or_default()
    }

    /// Returns what lies at a path, as JSON; `-` for nothing.
    #[must_use]
    pub fn json(&self, path: &[&str]) -> String {
        let Some(value) = self.body.at(path) else {
            return "-".to_owned();
        };
        let mut bytes = Vec::new();
        json::write(value, &mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Returns the code and the message of a refusal.
    #[must_use]
    pub fn refusal(&self) -> String {
        format!("{} {}", self.code, self.text(&["message"]))
    }
}

impl Cluster {
    /// Sends `METHOD URL` as an administrator. A patch says its type by the first word of its body:
    /// `merge`, `json-patch`, `strategic` or `apply`.
    ///
    /// # Panics
    /// When the line is no request: the test is wrong.
    pub async fn ask(&self, line: &str, body: &str) -> Reply {
        let admin = User::named("kubernetes-admin").with_group("system:masters");
        self.ask_as(admin.authenticated(), line, body).await
    }

    /// Sends a request as anyone.
    ///
    /// # Panics
    /// As [`Cluster::ask`].
    pub async fn ask_as(&self, user: User, line: &str, body: &str) -> Reply {
        let (method, url) = line.split_once(' ').expect("a method and a URL");
        let (kind, body) = match body.split_once(' ') {
            Some(("merge", rest)) => ("application/merge-patch+json", rest),
            Some(("json-patch", rest)) => ("application/json-patch+json", rest),
            Some(("strategic", rest)) => ("application/strategic-merge-patch+json", rest),
            Some(("apply", rest)) => ("application/apply-patch+yaml", rest),
            _ => ("application/json", body),
        };
        let request = http::Request::builder()
            .method(method)
            .uri(url)
            .header(http::header::CONTENT_TYPE, kind)
            .body(Body::from(body.as_bytes().to_vec()))
            .expect("the line is a request");
        let answer = self.running.server().in_process(user).serve(request).await;
        let code = answer.status().as_u16();
        let warnings = answer.headers().get_all(http::header::WARNING).iter();
        let warnings = warnings.map(|one| String::from_utf8_lossy(one.as_bytes()).into_owned());
        let warnings = warnings.collect();
        let bytes = answer.into_body().collect().await;
        let bytes = bytes
            .expect("an answer in process does not break off")
            .to_bytes();
        let body = match json::read(&bytes) {
            Ok(parsed) => parsed.value,
            Err(_) => Value::string(String::from_utf8_lossy(&bytes).into_owned()),
        };
        Reply {
            code,
            body,
            warnings,
        }
    }

    /// Sends something that must work.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn ok(&self, line: &str, body: &str) -> Reply {
        let reply = self.ask(line, body).await;
        assert!(reply.code < 300, "{line}: {}", reply.refusal());
        reply
    }
}
