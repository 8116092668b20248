//! Requests to a server as they are, byte for byte: through `kubectl proxy`, which knows TLS and the
//! kubeconfig, so that here plain HTTP/1.0 is enough.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::cases::Request;
use super::play::Heard;
use crate::control_plane::first_port_printed;
use crate::failure::{Doing, Failure};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running `kubectl proxy`.
pub(in crate::conformance) struct Door {
    child: Child,
    port: u16,
}

impl Door {
    pub(in crate::conformance) fn open(bin: &Path, kubeconfig: &Path) -> Result<Self, Failure> {
        let mut child = Command::new(bin.join("kubectl"))
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(["proxy", "--address=127.0.0.1", "--port=0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .doing("start kubectl proxy")?;
        let stdout = child.stdout.take().expect("stdout was asked to be piped");
        let port = first_port_printed(stdout);
        let mut door = Self { child, port: 0 };
        door.port = port?;
        Ok(door)
    }

    /// Gets a document in this media type, as it is.
    pub(in crate::conformance) fn get(
        &self,
        target: &str,
        accept: &str,
    ) -> Result<Vec<u8>, Failure> {
        let what = || format!("get {target}");
        let mut stream =
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).doing("reach kubectl proxy")?;
        stream.set_read_timeout(Some(PATIENCE)).doing(what())?;
        let head = format!("GET {target} HTTP/1.0\r\nHost: 127.0.0.1\r\nAccept: {accept}\r\n\r\n");
        stream.write_all(head.as_bytes()).doing(what())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).doing(what())?;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        match end {
            Some(end) if answer.get(9..12) == Some(b"200") => Ok(answer.split_off(end + 4)),
            _ => Err(Failure::new(format!(
                "{}: {}",
                what(),
                String::from_utf8_lossy(answer.get(..200.min(answer.len())).unwrap_or_default())
            ))),
        }
    }

    /// Sends a request and returns the answer's code and body.
    pub(in crate::conformance) fn send(
        &self,
        request: &Request,
        target: &str,
    ) -> Result<(u16, Value), Failure> {
        let heard = self.hear(request, target)?;
        Ok((heard.code, heard.body))
    }

    /// Sends a request and returns the answer's code, warnings and body.
    pub(super) fn hear(&self, request: &Request, target: &str) -> Result<Heard, Failure> {
        let what = || format!("send {} {target}", request.method);
        let head = format!(
            "{} {target} HTTP/1.0\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\
             Content-Type: {}\r\nContent-Length: {}\r\n\r\n",
            request.method,
            request.content_type,
            request.text.len()
        );
        let (code, head, body) = self.exchange(&what(), &head, request.text.as_bytes())?;
        // Some refusals are no JSON; their text is what there is to compare.
        let body = serde_json::from_str(&body).unwrap_or_else(|_| body.into());
        let warning = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            let is_it = name.eq_ignore_ascii_case("warning");
            is_it.then(|| value.trim_end().to_owned())
        };
        let warnings = head.lines().filter_map(warning).collect();
        Ok(Heard {
            code,
            warnings,
            body,
        })
    }

    /// Passes head and body on as they are, and returns the answer's code and body.
    pub(in crate::conformance) fn pass(
        &self,
        what: &str,
        head: &str,
        body: &[u8],
    ) -> Result<(u16, String), Failure> {
        let (code, _, body) = self.exchange(what, head, body)?;
        Ok((code, body))
    }

    /// Does the same, and returns the answer's head, too.
    fn exchange(
        &self,
        what: &str,
        head: &str,
        body: &[u8],
    ) -> Result<(u16, String, String), Failure> {
        let mut stream =
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).doing("reach kubectl proxy")?;
        stream.set_read_timeout(Some(PATIENCE)).doing(what)?;
        stream.write_all(head.as_bytes()).doing(what)?;
        // A server may answer before it has read everything; the answer is what counts.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).doing(what)?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        let code = code.ok_or_else(|| Failure::new(format!("{what}: no answer: {head}")))?;
        Ok((code, head.to_owned(), body.to_owned()))
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
