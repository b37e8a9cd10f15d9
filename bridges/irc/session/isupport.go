package session

import (
	"strconv"
	"strings"
)

// maxISupport bounds how many tokens of a server are remembered.
const maxISupport = 256

// ISupport is what the server said about itself in RPL_ISUPPORT (005). Who is handed one must not change it. The zero
// value is not usable; see newISupport.
type ISupport struct {
	Casemapping Casemapping
	// ChanTypes are the characters that channel names begin with.
	ChanTypes string
	// PrefixModes and PrefixSymbols are the membership modes, highest first, and
	// the characters that show them: "ov" and "@+".
	PrefixModes, PrefixSymbols string
	// ChanModes are the four groups of CHANMODES: lists, always with a parameter,
	// with a parameter when set, without one.
	ChanModes [4]string
	// StatusMsg are the prefixes that a message's target may carry.
	StatusMsg string
	// NickLen, ChannelLen, TopicLen and LineLen are limits in bytes; LineLen
	// counts the line ending, and the others are 0 if unknown.
	NickLen, ChannelLen, TopicLen, LineLen int
	// Network is the network's own name.
	Network string
	// Tokens holds every token by name, with values decoded.
	Tokens map[string]string
}

func newISupport() *ISupport {
	return &ISupport{
		ChanTypes:     "#&",
		PrefixModes:   "ov",
		PrefixSymbols: "@+",
		ChanModes:     [4]string{"beI", "k", "l", "imnpstr"},
		LineLen:       512,
		Tokens:        make(map[string]string),
	}
}

// clone returns a copy that may be changed.
func (s *ISupport) clone() *ISupport {
	c := *s
	c.Tokens = make(map[string]string, len(s.Tokens))
	for k, v := range s.Tokens {
		c.Tokens[k] = v
	}
	return &c
}

// add reads the tokens of one 005 line: KEY, KEY=value or -KEY.
func (s *ISupport) add(tokens []string) {
	for _, token := range tokens {
		if token == "" {
			continue
		}
		if name, ok := strings.CutPrefix(token, "-"); ok {
			delete(s.Tokens, name)
			s.reset(name)
			continue
		}
		name, value, _ := strings.Cut(token, "=")
		value = decodeISupport(value)
		if _, known := s.Tokens[name]; !known && len(s.Tokens) >= maxISupport {
			continue
		}
		s.Tokens[name] = value
		s.set(name, value)
	}
}

func (s *ISupport) set(name, value string) {
	switch name {
	case "CASEMAPPING":
		s.Casemapping = ParseCasemapping(value)
	case "CHANTYPES":
		s.ChanTypes = value
	case "PREFIX":
		if modes, symbols, ok := parsePrefix(value); ok {
			s.PrefixModes, s.PrefixSymbols = modes, symbols
		}
	case "CHANMODES":
		var groups [4]string
		copy(groups[:], strings.SplitN(value, ",", 5))
		s.ChanModes = groups
	case "STATUSMSG":
		s.StatusMsg = value
	case "NETWORK":
		s.Network = value
	case "NICKLEN":
		s.NickLen = limit(value, 1, 512)
	case "CHANNELLEN":
		s.ChannelLen = limit(value, 1, 512)
	case "TOPICLEN":
		s.TopicLen = limit(value, 1, 8192)
	case "LINELEN":
		if n := limit(value, 512, 8192); n != 0 {
			s.LineLen = n
		}
	}
}

func (s *ISupport) reset(name string) {
	fresh := newISupport()
	switch name {
	case "CASEMAPPING":
		s.Casemapping = fresh.Casemapping
	case "CHANTYPES":
		s.ChanTypes = fresh.ChanTypes
	case "PREFIX":
		s.PrefixModes, s.PrefixSymbols = fresh.PrefixModes, fresh.PrefixSymbols
	case "CHANMODES":
		s.ChanModes = fresh.ChanModes
	case "STATUSMSG":
		s.StatusMsg = ""
	case "NETWORK":
		s.Network = ""
	case "NICKLEN":
		s.NickLen = 0
	case "CHANNELLEN":
		s.ChannelLen = 0
	case "TOPICLEN":
		s.TopicLen = 0
	case "LINELEN":
		s.LineLen = fresh.LineLen
	}
}

// IsChannel reports whether a message's target is a channel.
func (s *ISupport) IsChannel(target string) bool {
	return target != "" && strings.IndexByte(s.ChanTypes, target[0]) >= 0
}

// splitStatus takes a STATUSMSG prefix off a target: "@#go" is a message to the
// operators of #go.
func (s *ISupport) splitStatus(target string) (channel string) {
	trimmed := target
	for trimmed != "" && strings.IndexByte(s.StatusMsg, trimmed[0]) >= 0 {
		trimmed = trimmed[1:]
	}
	if trimmed != target && s.IsChannel(trimmed) {
		return trimmed
	}
	return target
}

// parsePrefix reads "(ov)@+". An empty value means that there are no
// membership prefixes.
func parsePrefix(value string) (modes, symbols string, ok bool) {
	if value == "" {
		return "", "", true
	}
	rest, ok := strings.CutPrefix(value, "(")
	if !ok {
		return "", "", false
	}
	modes, symbols, ok = strings.Cut(rest, ")")
	if !ok || len(modes) != len(symbols) {
		return "", "", false
	}
	return modes, symbols, true
}

func limit(value string, low, high int) int {
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return 0
	}
	return n
}

// decodeISupport undoes the \xHH escapes of ISUPPORT values.
func decodeISupport(value string) string {
	if !strings.Contains(value, `\x`) {
		return value
	}
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] == '\\' && i+3 < len(value) && value[i+1] == 'x' {
			if n, err := strconv.ParseUint(value[i+2:i+4], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(value[i])
	}
	return ToUTF8(b.String())
}
