//! Who may talk to the server: the token, how a request carries it, and from which web pages.
//!
//! Knows nothing of HTTP libraries or of the store: it is handed header values and hashes.

mod credentials;
mod origin;
mod origin_policy;
mod token;
mod token_file;

pub use credentials::{SUB_PROTOCOL, SubProtocols, bearer_token};
pub use origin::{BadOrigin, Origin};
pub use origin_policy::{OriginPolicy, Refusal};
pub use token::{Token, TokenCheck, TokenError, TokenHash};
pub use token_file::{read_token, token_for_first_start, token_path, write_token};
