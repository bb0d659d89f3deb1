//! Who a request comes from.

use actix_web::HttpRequest;
use tandem_actors::event::By;
use tandem_actors::ids::{BadDeviceId, DeviceId, UserId};
use tandem_actors::refusal::Refusal;

use crate::fields::Fields;

/// A device names itself here when the body has no `deviceId`.
pub(super) const DEVICE_HEADER: &str = "X-Tandem-Device";

/// The device of requests that name none.
const UNNAMED: &str = "http";

/// Who asks: the body's `deviceId`, else the header, else `http`.
///
/// # Errors
/// `bad_request` when what is named is no device id.
pub(super) fn by(request: &HttpRequest, fields: &Fields) -> Result<By, Refusal> {
    let device_id = match fields.optional("deviceId")? {
        Some(device_id) => device_id,
        None => device_of_header(request)?,
    };
    Ok(By { device_id, user_id: UserId::owner() })
}

/// Who asks, where it must be told from all others: it holds something in its name.
///
/// # Errors
/// As for [`by`], and when no device is named.
pub(super) fn named(request: &HttpRequest, fields: &Fields) -> Result<By, Refusal> {
    let by = by(request, fields)?;
    let is_named =
        fields.optional::<DeviceId>("deviceId")?.is_some() || request.headers().contains_key(DEVICE_HEADER);
    if !is_named {
        let message = format!(
            "Name the device that asks, in the field deviceId or the header {DEVICE_HEADER}: a lock is its own."
        );
        return Err(Refusal::bad_field("deviceId", message));
    }
    Ok(by)
}

/// Who asks, where there is no body.
///
/// # Errors
/// As for [`by`].
pub(super) fn by_header(request: &HttpRequest) -> Result<By, Refusal> {
    by(request, &Fields::default())
}

fn device_of_header(request: &HttpRequest) -> Result<DeviceId, Refusal> {
    let header = request.headers().get(DEVICE_HEADER);
    let name = header.map_or(UNNAMED, |value| value.to_str().unwrap_or_default());
    name.parse().map_err(|bad: BadDeviceId| {
        Refusal::bad_field(DEVICE_HEADER, format!("The header {DEVICE_HEADER} is wrong: {bad}."))
    })
}
