//! The bytes of a connection between nodes.

use bytes::BytesMut;
use node::peers::reading::understood;

/// What was understood is understood again, as the same, when it is sent on.
pub(super) fn read(input: &[u8]) -> bool {
    let messages = understood(BytesMut::from(input));
    for message in &messages {
        let again = understood(BytesMut::from(&message.frames[..]));
        assert_eq!(
            again,
            std::slice::from_ref(message),
            "a message is not what it was"
        );
    }
    !messages.is_empty()
}
