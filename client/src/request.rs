//! A request before it is sent, and what may be done with it when no good answer comes.

use bytes::Bytes;
use reqwest::Method;
use serde::Serialize;

use crate::Error;

/// What a repeat of a request can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Safety {
    /// It changes nothing.
    Read,
    /// It carries its own name or generation: a repeat has the same outcome.
    Repeatable,
    /// A repeat could do harm.
    Once,
}

/// A request without its endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) headers: Vec<(&'static str, u64)>,
    pub(crate) body: Option<Bytes>,
    pub(crate) safety: Safety,
}

impl Request {
    pub(crate) fn get(path: String) -> Self {
        Self::new(Method::GET, path, Safety::Read)
    }

    pub(crate) fn delete(path: String, safety: Safety) -> Self {
        Self::new(Method::DELETE, path, safety)
    }

    pub(crate) fn post(path: String, safety: Safety) -> Self {
        Self::new(Method::POST, path, safety)
    }

    /// An edit as a merge patch. A repeat could undo what somebody else edited in between.
    pub(crate) fn patch(path: String) -> Self {
        Self::new(Method::PATCH, path, Safety::Once)
    }

    fn new(method: Method, path: String, safety: Safety) -> Self {
        Self {
            method,
            path,
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            safety,
        }
    }

    pub(crate) fn json<T: Serialize>(mut self, document: &T) -> Result<Self, Error> {
        self.body = Some(
            serde_json::to_vec(document)
                .map_err(Error::Unwritable)?
                .into(),
        );
        Ok(self)
    }

    /// With a parameter, where it has a value.
    pub(crate) fn query(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        if let Some(value) = value {
            self.query.push((name, value.to_string()));
        }
        self
    }

    /// With a header, where it has a value.
    pub(crate) fn header(mut self, name: &'static str, value: Option<u64>) -> Self {
        if let Some(value) = value {
            self.headers.push((name, value));
        }
        self
    }

    /// Path and query string. Names and blocks need no encoding in a path.
    pub(crate) fn target(&self) -> String {
        if self.query.is_empty() {
            return self.path.clone();
        }
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.query)
            .finish();
        format!("{}?{query}", self.path)
    }
}
