//! The cluster and its members. Changes of the membership are never repeated by themselves.

use api::requests::MemberAdd;
use api::views::{Cluster, Digest, Settings};
use serde::Serialize;

use crate::request::{Request, Safety};
use crate::{Answer, Client, Error};

impl Client {
    /// The cluster as the node that answers sees it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn cluster_show(&self) -> Result<Answer<Cluster>, Error> {
        self.call(Request::get("/v1/cluster".to_owned())).await
    }

    /// A hash of the answering node's state, at that revision or the latest.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn digest_show(&self, revision: Option<u64>) -> Result<Answer<Digest>, Error> {
        self.call(Request::get("/v1/cluster/digest".to_owned()).query("revision", revision))
            .await
    }

    /// Adds a node as a learner.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn member_add(&self, id: u64, member: &MemberAdd) -> Result<Answer<Cluster>, Error> {
        self.mutate(Request::post(format!("/v1/cluster/members/{id}"), Safety::Once).json(member)?)
            .await
    }

    /// Makes a voter of a learner.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn member_promote(&self, id: u64) -> Result<Answer<Cluster>, Error> {
        self.mutate(Request::post(
            format!("/v1/cluster/members/{id}/promote"),
            Safety::Once,
        ))
        .await
    }

    /// Removes a member.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn member_remove(&self, id: u64) -> Result<Answer<Cluster>, Error> {
        self.mutate(Request::delete(
            format!("/v1/cluster/members/{id}"),
            Safety::Once,
        ))
        .await
    }

    /// Shows the settings that all nodes share.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn settings_show(&self) -> Result<Answer<Settings>, Error> {
        self.read(Request::get("/v1/cluster/settings".to_owned()))
            .await
    }

    /// Edits the settings that all nodes share.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn settings_edit(&self, patch: &impl Serialize) -> Result<Answer<Settings>, Error> {
        self.mutate(Request::patch("/v1/cluster/settings".to_owned()).json(patch)?)
            .await
    }
}
