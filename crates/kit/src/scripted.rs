//! A server for tests that gives prepared answers in their order and notes what it was asked.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use parking_lot::Mutex;

use crate::transport::Client;

/// One prepared answer.
pub(crate) struct Answer {
    code: u16,
    frames: VecDeque<Bytes>,
    stays_open: bool,
}

impl Answer {
    /// An answer that ends.
    pub(crate) fn ends(code: u16, text: &str) -> Self {
        Self::frames(code, &[text], false)
    }

    /// A stream that stays open after its frames.
    pub(crate) fn stays(frames: &[&str]) -> Self {
        Self::frames(200, frames, true)
    }

    /// A stream that ends after its frames.
    pub(crate) fn stream(frames: &[&str]) -> Self {
        Self::frames(200, frames, false)
    }

    fn frames(code: u16, frames: &[&str], stays_open: bool) -> Self {
        Self {
            code,
            frames: frames
                .iter()
                .map(|frame| Bytes::from((*frame).to_owned()))
                .collect(),
            stays_open,
        }
    }
}

/// The server: its answers to come and its notes.
#[derive(Clone, Default)]
pub(crate) struct Script {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Script {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self {
            answers: Arc::new(Mutex::new(answers.into_iter().collect())),
            asked: Arc::default(),
        }
    }

    /// What was asked so far: `METHOD path body`, with the watch's random timeout left out.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().clone()
    }

    pub(crate) fn client(&self) -> Client {
        let script = self.clone();
        Client::in_process(tower::service_fn(
            move |request: Request<kube::client::Body>| {
                let script = script.clone();
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    let path = head.uri.to_string();
                    let path = match path.split_once("timeoutSeconds=") {
                        Some((before, after)) => {
                            format!(
                                "{before}timeoutSeconds={}",
                                after.trim_start_matches(char::is_numeric)
                            )
                        }
                        None => path,
                    };
                    let body = String::from_utf8_lossy(&body).into_owned();
                    script
                        .asked
                        .lock()
                        .push(format!("{} {path} {body}", head.method).trim().to_owned());
                    let answer = script.answers.lock().pop_front();
                    // Past the script's end there is silence, so that a test sees who asks too much.
                    let answer = answer.unwrap_or_else(|| Answer::stays(&[]));
                    let mut response = Response::new(Body(answer.frames, answer.stays_open));
                    *response.status_mut() = StatusCode::from_u16(answer.code).unwrap();
                    Ok::<_, Infallible>(response)
                }
            },
        ))
    }
}

struct Body(VecDeque<Bytes>, bool);

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;
    fn poll_frame(
        mut self: Pin<&mut Self>,
        _ctx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(Frame::data(frame)))),
            None if self.1 => Poll::Pending,
            None => Poll::Ready(None),
        }
    }
}
