// Package registration is about application-service registrations: the YAML files with
// which an administrator tells a homeserver that a bridge exists, which tokens it and
// the server show each other, and which users, aliases and rooms are its own
// (Matrix specification, Application Service API, "Registration").
//
// Here live
//
//   - one registration: [Parse], [ParseFile], [Registration.Validate], [Registration.Lint],
//     [Registration.Explain], [Generate], [Registration.Marshal];
//   - all registrations of a server, checked against each other: [Set], made by [Load] or
//     [NewSet], with look-ups by token and the matching of namespaces;
//   - a Set that follows its files: [Watcher].
//
// # How namespaces match
//
// The specification does not say whether a namespace's regular expression must match a
// whole identifier. The homeservers for which registrations are written search for it
// from the first character on and do not ask that it reach the last one, and bridges
// rely on that. The same is done here: `@irc_` covers `@irc_anna:example.org`, and
// `@ircbot` covers `@ircbottom:example.org` too. [Registration.Lint] warns of patterns
// that say less than was probably meant; `$` at the end asks for the whole identifier.
//
// "Events will be sent to the AS if a local user matching one of the namespaces is the
// target of the event, or is a joined member of the room" (specification, users): users
// of other servers never match.
//
// Expressions are those of Go's regexp package (RE2). They run in linear time; what
// Python has beyond them (lookaheads, backreferences) is refused with advice.
//
// This package knows neither the homeserver nor the bridges: no network, no database, no
// delivery of events.
package registration
