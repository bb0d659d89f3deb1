//! A notice as a client sends it: `to`, `exclude`, `message`.

use tandem_actors::ids::DeviceId;
use tandem_actors::notice::{Addressee, Notify};
use tandem_actors::refusal::Refusal;

use super::Fields;

impl Fields {
    /// A notice to others.
    ///
    /// # Errors
    /// `bad_request` that names the field.
    pub(crate) fn notify(&self) -> Result<Notify, Refusal> {
        let message: String = self.required("message")?;
        Notify::new(self.addressee()?, self.excluded()?, &message)
    }

    fn addressee(&self) -> Result<Addressee, Refusal> {
        let one_of = || {
            let message =
                "The field to is one of {deviceId: …}, {userId: …}, {sessionId: …} and {all: true}.";
            Refusal::bad_field("to", message)
        };
        let to = self.raw("to").ok_or_else(one_of)?;
        let to = Self::parse(to.get().as_bytes()).map_err(|_| one_of())?.with_snake_case_twins();
        let in_to = |refusal: Refusal| Refusal::bad_field("to", refusal.message);
        let named = [
            to.optional("deviceId").map_err(in_to)?.map(Addressee::Device),
            to.optional("userId").map_err(in_to)?.map(Addressee::User),
            to.optional("sessionId").map_err(in_to)?.map(Addressee::Session),
            to.optional("all").map_err(in_to)?.filter(|all| *all).map(|_| Addressee::All),
        ];
        let mut named = named.into_iter().flatten();
        match (named.next(), named.next()) {
            (Some(addressee), None) => Ok(addressee),
            _ => Err(one_of()),
        }
    }

    /// One device, or a list of them.
    fn excluded(&self) -> Result<Vec<DeviceId>, Refusal> {
        let is_list = self.raw("exclude").is_some_and(|exclude| exclude.get().starts_with('['));
        if is_list {
            return Ok(self.optional("exclude")?.unwrap_or_default());
        }
        Ok(self.optional("exclude")?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn notify(value: &Value) -> Result<Notify, Refusal> {
        Fields::parse(value.to_string().as_bytes()).unwrap().notify()
    }

    #[test]
    fn a_notice_has_one_addressee() {
        let session = "0197a2c4-0000-7000-8000-000000000001";
        for (to, expected) in [
            (json!({"deviceId": "phone"}), Addressee::Device("phone".parse().unwrap())),
            (json!({"device_id": "phone"}), Addressee::Device("phone".parse().unwrap())),
            (json!({"userId": "owner"}), Addressee::User("owner".parse().unwrap())),
            (json!({"sessionId": session}), Addressee::Session(session.parse().unwrap())),
            (json!({"all": true, "deviceId": null}), Addressee::All),
        ] {
            assert_eq!(notify(&json!({"to": to, "message": "hi"})).unwrap().to, expected);
        }
        for to in [
            json!({}),
            json!({"all": false}),
            json!({"all": "true"}),
            json!({"all": true, "deviceId": "phone"}),
            json!({"deviceId": "no device"}),
            json!({"sessionId": "none"}),
            json!("phone"),
            json!(null),
        ] {
            let refusal = notify(&json!({"to": to, "message": "hi"})).unwrap_err();
            assert_eq!(refusal.details.unwrap()["field"], "to", "{to}");
        }
    }

    #[test]
    fn one_device_or_several_are_left_out() {
        let excluded = |exclude: Value| {
            let notify = notify(&json!({"to": {"all": true}, "message": "hi", "exclude": exclude}));
            notify.map(|notify| notify.exclude.len())
        };
        assert_eq!(excluded(json!(null)), Ok(0));
        assert_eq!(excluded(json!("phone")), Ok(1));
        assert_eq!(excluded(json!(["phone", "laptop"])), Ok(2));
        for bad in [json!("no device"), json!(["no device"]), json!(7)] {
            assert_eq!(excluded(bad).unwrap_err().details.unwrap()["field"], "exclude");
        }
    }
}
