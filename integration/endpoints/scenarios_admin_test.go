package endpoints

import "testing"

var adminScenarios = map[string]scenario{
	"getAdminLockUser":    moderated(nil, `"locked":false`),
	"setAdminLockUser":    moderated(object{"locked": true}, `"locked":true`),
	"getAdminSuspendUser": moderated(nil, `"suspended":false`),
	"setAdminSuspendUser": moderated(object{"suspended": true}, `"suspended":true`),
}

// moderated is what an administrator does about somebody, and nobody else may.
func moderated(body any, answer string) scenario {
	return func(s *stage) call {
		c := call{as: s.admin, params: map[string]string{"userId": s.bob().UserID}, body: body}
		c.check = func(t *testing.T, raw []byte) {
			holds(answer)(t, raw)
			s.send(s.op.Method, s.path(s.op, c, nil), nil, s.alice(), s.encode(body), "").want(t, "as somebody else", 403, "M_FORBIDDEN")
		}
		return c
	}
}
