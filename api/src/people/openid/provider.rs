//! The provider: what it says of itself, and of people. It is asked when somebody signs on, not before.

use std::sync::Arc;
use std::time::Duration;

use flow::Timestamp;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClientAuthMethod,
    CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::url::Url;
use openidconnect::{
    AccessToken, AdditionalClaims, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId,
    ClientSecret, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    IdTokenFields, IssuerUrl, LogoutRequest, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge,
    PkceCodeVerifier, PostLogoutRedirectUrl, ProviderMetadataWithLogout, RedirectUrl,
    RequestTokenError, Scope, SignatureVerificationError, StandardErrorResponse,
    StandardTokenResponse, SubjectIdentifier, TokenResponse as _, UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::catalog::Identity;
use tokio::sync::Mutex;

use super::calling::Caller;
use super::claims::Claims;
use super::refusal::Refusal;
use super::settings::{Settings, WrongSettings, wrong};

/// Where the provider sends browsers back to.
const CALLBACK: &str = "/api/v1/sign-on/openid/callback";
/// What it says of itself is believed so long.
const KNOWN_FOR: Duration = Duration::from_secs(3600);
/// A key that is not known makes it be asked again, but not more often than this: anybody can name keys that do not exist.
const NEW_KEYS_EVERY: Duration = Duration::from_secs(60);
/// One that did not answer is left alone so long; else everybody who presses the button waits for the next.
const DOWN_FOR: Duration = Duration::from_secs(5);
/// Signatures that are taken: those by a key pair. `none` is not one, and the secret that both know signs nothing.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Claims that the standard does not name, such as groups.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Others {
    #[serde(flatten)]
    all: Claims,
}

impl AdditionalClaims for Others {}

type Fields = IdTokenFields<
    Others,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Client = openidconnect::Client<
    Others,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;
type Metadata = ProviderMetadataWithLogout;

/// A browser that is sent to the provider.
pub(super) struct Departure {
    /// The address that it goes to.
    pub(super) url: Url,
    /// What it brings back.
    pub(super) state: String,
    pub(super) nonce: Nonce,
    pub(super) verifier: PkceCodeVerifier,
}

/// The provider, as far as it is known.
#[derive(Debug)]
pub(super) struct Provider {
    issuer: IssuerUrl,
    client_id: ClientId,
    /// Its `Debug` does not show it.
    secret: Option<ClientSecret>,
    callback: RedirectUrl,
    /// Where browsers come to after they signed out there.
    entrance: PostLogoutRedirectUrl,
    scopes: Vec<Scope>,
    groups_claim: String,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    caller: Option<Arc<Caller>>,
    metadata: Option<Arc<Metadata>>,
    /// When it was last asked.
    asked_at: Option<Timestamp>,
}

/// How fresh what it says of itself has to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Known,
    /// Other keys than those that are known.
    NewKeys,
}

impl Provider {
    pub(super) fn new(
        settings: &Settings,
        public_address: &str,
        secret: Option<String>,
    ) -> Result<Self, WrongSettings> {
        let place = |path: &str| format!("{public_address}{path}");
        let not_one = |error| wrong("public_address", &format!("{error}"));
        let issuer = IssuerUrl::new(settings.issuer.clone());
        Ok(Self {
            issuer: issuer.map_err(|error| wrong("openid.issuer", &error.to_string()))?,
            client_id: ClientId::new(settings.client_id.clone()),
            secret: secret.map(ClientSecret::new),
            callback: RedirectUrl::new(place(CALLBACK)).map_err(not_one)?,
            entrance: PostLogoutRedirectUrl::new(place("/sign-in")).map_err(not_one)?,
            scopes: settings.scopes.iter().cloned().map(Scope::new).collect(),
            groups_claim: settings.groups_claim.clone(),
            known: Mutex::default(),
        })
    }

    /// Where to send a browser that wants to sign on.
    ///
    /// # Errors
    ///
    /// The provider does not answer.
    pub(super) async fn depart(&self, now: Timestamp) -> Result<Departure, Refusal> {
        let (_, metadata) = self.known(Wanted::Known, now).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = self.client(&metadata);
        let (url, state, nonce) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scopes(self.scopes.iter().cloned())
            .set_pkce_challenge(challenge)
            .url();
        Ok(Departure {
            url,
            state: state.into_secret(),
            nonce,
            verifier,
        })
    }

    /// Who somebody is that comes back with this code, and what is said of them.
    ///
    /// # Errors
    ///
    /// The provider does not answer, or what it says does not hold.
    pub(super) async fn identify(
        &self,
        code: String,
        verifier: PkceCodeVerifier,
        nonce: &Nonce,
        now: Timestamp,
    ) -> Result<(Identity, Claims), Refusal> {
        let (caller, metadata) = self.known(Wanted::Known, now).await?;
        let client = self.client(&metadata);
        let exchange = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| not_valid("it takes no codes", &error))?
            .set_pkce_verifier(verifier);
        let answer = exchange.request_async(&*caller).await;
        let answer = answer.map_err(|error| match error {
            RequestTokenError::Request(error) => down(&error),
            RequestTokenError::ServerResponse(error) => not_valid("it refuses the code", &error),
            error => not_valid("its tokens cannot be read", &error),
        })?;
        let (subject, mut claims) = match self.verify(&answer, nonce, &metadata) {
            Err(error) if is_new_key(&error) => {
                let (_, metadata) = self.known(Wanted::NewKeys, now).await?;
                self.verify(&answer, nonce, &metadata)
            }
            verified => verified,
        }
        .map_err(|error| not_valid("its token does not hold", &error))?;
        if !claims.contains_key(&self.groups_claim) && metadata.userinfo_endpoint().is_some() {
            let token = answer.access_token().clone();
            let more = self.ask_about(&subject, token, &caller, &metadata).await?;
            for (name, value) in more {
                claims.entry(name).or_insert(value);
            }
        }
        let identity = Identity {
            issuer: self.issuer.to_string(),
            subject: subject.to_string(),
        };
        Ok((identity, claims))
    }

    /// Where a browser signs out at the provider; `None` if it has no such place.
    ///
    /// # Errors
    ///
    /// The provider does not answer.
    pub(super) async fn leave(&self, now: Timestamp) -> Result<Option<Url>, Refusal> {
        let (_, metadata) = self.known(Wanted::Known, now).await?;
        let end = metadata.additional_metadata().end_session_endpoint.clone();
        Ok(end.map(|end| {
            LogoutRequest::from(end)
                .set_client_id(self.client_id.clone())
                .set_post_logout_redirect_uri(self.entrance.clone())
                .http_get_url()
        }))
    }

    /// What it says of itself, as fresh as it has to be.
    async fn known(
        &self,
        wanted: Wanted,
        now: Timestamp,
    ) -> Result<(Arc<Caller>, Arc<Metadata>), Refusal> {
        // Whoever comes while it is asked waits for the same answer.
        let mut known = self.known.lock().await;
        let asked_at = known.asked_at.filter(|at| *at <= now);
        let asked_within = |time| asked_at.is_some_and(|at| now < at + time);
        let pause = match (wanted, &known.metadata) {
            (_, None) => DOWN_FOR,
            (Wanted::NewKeys, _) => NEW_KEYS_EVERY,
            (Wanted::Known, _) => KNOWN_FOR,
        };
        let caller = self.caller(&mut known)?;
        if !asked_within(pause) {
            known.asked_at = Some(now);
            known.metadata = None;
            let found = Metadata::discover_async(self.issuer.clone(), &*caller).await;
            let found = found.map_err(|error| down(&error))?;
            known.metadata = Some(Arc::new(found));
        }
        let metadata = known.metadata.clone().ok_or(Refusal::ProviderDown)?;
        Ok((caller, metadata))
    }

    fn caller(&self, known: &mut Known) -> Result<Arc<Caller>, Refusal> {
        if let Some(caller) = &known.caller {
            return Ok(caller.clone());
        }
        let is_encrypted = self.issuer.url().scheme() == "https";
        let caller = Caller::new(is_encrypted).map_err(|error| down(&error))?;
        Ok(known.caller.insert(Arc::new(caller)).clone())
    }

    fn client(&self, metadata: &Metadata) -> Client {
        let secret = self.secret.clone();
        let client =
            Client::from_provider_metadata(metadata.clone(), self.client_id.clone(), secret)
                .set_redirect_uri(self.callback.clone());
        let ways = metadata.token_endpoint_auth_methods_supported();
        let takes = |way| ways.is_none_or(|ways| ways.contains(&way));
        match takes(CoreClientAuthMethod::ClientSecretBasic) {
            true => client,
            false => client.set_auth_type(AuthType::RequestBody),
        }
    }

    /// Who a token is about: after issuer, audience, authorised party, expiry, nonce and signature were looked at.
    fn verify(
        &self,
        answer: &StandardTokenResponse<Fields, CoreTokenType>,
        nonce: &Nonce,
        metadata: &Metadata,
    ) -> Result<(SubjectIdentifier, Claims), ClaimsVerificationError> {
        let none = || ClaimsVerificationError::Other("there is no ID token".to_owned());
        let token = answer.id_token().ok_or_else(none)?;
        let client = self.client(metadata);
        let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS);
        let claims = token.claims(&verifier, nonce)?;
        // The crate leaves this one to its callers (OpenID Connect Core 1.0, 3.1.3.7, step 5).
        if claims
            .authorized_party()
            .is_some_and(|party| *party != self.client_id)
        {
            let why = "it is for another party".to_owned();
            return Err(ClaimsVerificationError::InvalidAudience(why));
        }
        Ok((claims.subject().clone(), object(claims)))
    }

    /// What the provider says of somebody besides, as some put little into the token.
    async fn ask_about(
        &self,
        subject: &SubjectIdentifier,
        token: AccessToken,
        caller: &Caller,
        metadata: &Metadata,
    ) -> Result<Claims, Refusal> {
        let client = self.client(metadata);
        let request = client.user_info(token, Some(subject.clone()));
        let request = request.map_err(|error| not_valid("it says nothing of people", &error))?;
        let said: Result<UserInfoClaims<Others, CoreGenderClaim>, _> =
            request.request_async(caller).await;
        let said =
            said.map_err(|error| not_valid("what it says of somebody does not hold", &error))?;
        Ok(object(&said))
    }
}

/// Claims as they stand.
fn object(claims: &impl Serialize) -> Claims {
    match serde_json::to_value(claims) {
        Ok(Value::Object(claims)) => claims,
        _ => Claims::new(),
    }
}

fn is_new_key(error: &ClaimsVerificationError) -> bool {
    use ClaimsVerificationError::SignatureVerification;
    matches!(
        error,
        SignatureVerification(SignatureVerificationError::NoMatchingKey)
    )
}

fn down(error: &dyn std::error::Error) -> Refusal {
    let cause = error.source().map(ToString::to_string);
    tracing::warn!(%error, cause, "the OpenID provider does not answer as one");
    Refusal::ProviderDown
}

/// Only the outermost words go to the log: what lies behind may show a piece of a token.
fn not_valid(what: &str, error: &dyn std::fmt::Display) -> Refusal {
    tracing::warn!(%error, what, "the OpenID provider let nobody in");
    Refusal::NotValid
}
