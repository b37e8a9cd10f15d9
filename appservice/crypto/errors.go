package crypto

import (
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/olm"
)

// SetErrors tells bridgev2's Matrix connector which errors of decryption are
// worth waiting for keys. Without cgo it does not know them by itself, and an
// event that arrives before its key would be given up at once. It changes
// variables of the process: call it once, before any bridge is started.
func SetErrors() {
	matrix.NoSessionFound = crypto.ErrNoSessionFound
	matrix.DuplicateMessageIndex = crypto.ErrDuplicateMessageIndex
	matrix.UnknownMessageIndex = olm.ErrUnknownMessageIndex
}
