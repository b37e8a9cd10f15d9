package ircd

import "testing"

// Strict are servers that throttle and kill who sends too much, as they do where nobody has configured it otherwise. How many
// clients an address may have is not limited: bridges are excepted from that on real networks, too.
func Strict() map[string]func(testing.TB) *Server {
	return map[string]func(testing.TB) *Server{
		"ngircd":   func(t testing.TB) *Server { return ngIRCd(t, "", "") },
		"inspircd": func(t testing.TB) *Server { return inspIRCd(t, insp{limits: strict}) },
		"hybrid":   func(t testing.TB) *Server { return hybrid(t, "exceed_limit") },
	}
}
