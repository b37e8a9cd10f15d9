package api

import "hash/maphash"

// memory is how many events are remembered.
const memory = 512

// seen remembers the newest events of a session. A gateway numbers its events, and tells each once; one that comes again,
// with the same number and the same words, is a repetition. The zero value is ready for use.
type seen struct {
	seed maphash.Seed
	ring [memory]sighting
	next int
	have map[sighting]bool

	upto  int64          // all up to this were handed on
	ahead map[int64]bool // later ones that were
}

// maxAhead is how many events may come before an earlier one: if it is not there then, it does not come.
const maxAhead = 64

// sighting is the number of an event, and the hash of what it says.
type sighting struct {
	seq  int64
	hash uint64
}

// clear forgets all: a new session counts from the beginning.
func (s *seen) clear() { *s = seen{} }

// done notes that the event with a number was handed on. READY is the first of a session.
func (s *seen) done(seq int64, first bool) {
	switch {
	case seq <= s.upto:
		return
	case first || seq == s.upto+1:
		s.upto = seq
	case s.ahead == nil:
		s.ahead = map[int64]bool{seq: true}
	default:
		s.ahead[seq] = true
	}
	if len(s.ahead) > maxAhead {
		for n := range s.ahead {
			s.upto = max(s.upto, n)
		}
		clear(s.ahead)
	}
	for s.ahead[s.upto+1] {
		s.upto++
		delete(s.ahead, s.upto)
	}
}

// before reports whether an event is a repetition, and remembers it.
func (s *seen) before(f frame) bool {
	if f.Seq <= 0 {
		return false // not numbered; what is done with it stands repetitions
	}
	if s.have == nil {
		s.seed, s.have = maphash.MakeSeed(), make(map[sighting]bool, memory)
	}
	var h maphash.Hash
	h.SetSeed(s.seed)
	_, _ = h.WriteString(f.Type)
	_ = h.WriteByte(0)
	_, _ = h.Write(f.Data)
	is := sighting{int64(f.Seq), h.Sum64()}
	if s.have[is] {
		return true
	}
	if old := s.ring[s.next]; old.seq != 0 {
		delete(s.have, old)
	}
	s.ring[s.next], s.have[is] = is, true
	s.next = (s.next + 1) % memory
	return false
}
