package registration

import (
	"fmt"
	"strings"
)

// Explain tells in sentences what the registration gives the service on a server, for
// the administrator who is to accept it. Tokens are not in it.
func (r *Registration) Explain(serverName string) []string {
	if serverName == "" {
		serverName = "this server"
	}
	out := []string{fmt.Sprintf("The application service %q acts as @%s:%s.", r.ID, r.SenderLocalpart, serverName)}
	switch {
	case r.Module != "":
		out = append(out, fmt.Sprintf("It is the module %q in the server's own process, so no network connection is made.", r.Module))
	case r.URL != "":
		out = append(out, fmt.Sprintf("Events are sent to %s.", redactURL(r.URL)))
	default:
		out = append(out, "No events are sent to it, it only acts on the server.")
	}
	verbs := map[string][2]string{
		"users":   {"It alone may make and act as users matching %s, and receives what happens in the rooms they are in.", "It may act as users matching %s, people's accounts included, and receives what happens in the rooms they are in."},
		"aliases": {"It alone may make aliases matching %s, is asked when such an alias does not exist, and receives what happens in those rooms.", "It receives what happens in rooms with an alias matching %s, and is asked when such an alias does not exist."},
		"rooms":   {"It receives what happens in rooms whose id matches %s.", "It receives what happens in rooms whose id matches %s."},
	}
	claimed := false
	for _, a := range r.areas() {
		for _, exclusive := range []bool{true, false} {
			var list []string
			for _, ns := range a.list {
				if ns.Exclusive == exclusive {
					list = append(list, ns.Regex)
				}
			}
			if len(list) == 0 {
				continue
			}
			claimed = true
			verb := verbs[a.kind][1]
			if exclusive {
				verb = verbs[a.kind][0]
			}
			out = append(out, fmt.Sprintf(verb, strings.Join(list, " or ")))
		}
	}
	if !claimed {
		out = append(out, "It claims no users, aliases or rooms beside its own user, and receives what happens in the rooms that user is in.")
	}
	if r.IsRateLimited() {
		out = append(out, "Its users are held to the server's rate limits.")
	} else {
		out = append(out, "Its users are free of the server's rate limits.")
	}
	if r.ReceiveEphemeral {
		out = append(out, "It also receives typing notices, read receipts and to-device messages for them.")
	}
	if r.MSC3202 {
		out = append(out, "It is told of device changes and one-time keys, as end-to-end encryption needs (MSC3202).")
	}
	if r.DeviceManagement {
		out = append(out, "It may make and remove devices of its users without logging in or asking for a password (MSC4190).")
	}
	if len(r.Protocols) > 0 {
		out = append(out, "It answers third-party look-ups for "+strings.Join(r.Protocols, ", ")+".")
	}
	return out
}
