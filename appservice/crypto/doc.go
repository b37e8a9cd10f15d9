// Package crypto is end-to-bridge encryption without cgo: the matrix.Crypto of
// bridgev2 over mautrix-go's own implementation of Olm (goolm).
//
// mautrix-go has such a helper, but compiles it only with cgo; without cgo there
// would silently be no encryption. The helper here works in application service
// mode alone: the bot's device is made by MSC4190, and to-device events, device
// lists and key counts come in transactions (MSC2409, MSC3202). There is no
// second /sync.
//
// helper.go, init.go, selfsign.go and store.go are derived from mautrix-go and
// stay under the Mozilla Public License 2.0; the rest is Apache-2.0 like the
// project.
//
// What must not live here: anything that knows of the host.
package crypto
