package discord_test

// commands: what is bridged follows what administrators say, and only they; all learn what there is.
func (s *shared) commands() {
	ch, mia, room := s.newChannel("asked", "mia-asks")
	if _, err := s.admin.Join(s.ctx, room); err != nil {
		s.Fatal(err)
	}
	say := func(m *account, in, text string) {
		s.send(m, in, "m.room.message", obj{"msgtype": "m.text", "body": "!discord " + text})
	}
	say(mia, room, "help")
	s.says(mia, room, "", "timeout", "archive", "link")
	say(mia, room, "bridge "+ch.ID)
	s.says(mia, room, "", "administrators")
	second, leo, there := s.newChannel("to-be-left", "leo-asks")
	s.dc.Say(second, s.anna, "first", nil)
	s.await(leo, there, s.ghost(s.anna), "first")
	say(s.admin, room, "unbridge "+second.ID)
	s.says(mia, room, "", "to-be-left is not bridged any more")
	s.member(leo, there, s.ghost(s.anna), "leave")
	s.dc.Say(second, s.anna, "nobody hears", nil)
	say(s.admin, room, "bridge "+second.ID)
	s.says(mia, room, "", "to-be-left is bridged")
	again := s.join(leo, second)
	if again == there {
		s.Error("it is the room that was left")
	}
	s.dc.Say(second, s.anna, "all hear", nil)
	s.await(leo, again, s.ghost(s.anna), "all hear")
	if n := count(leo, there, s.ghost(s.anna), "nobody hears"); n != 0 {
		s.Errorf("a channel that is not bridged was heard %d times", n)
	}
	say(mia, room, "bridge nothing")
	say(mia, room, "list")
	s.says(mia, room, "", "asked", "discord_"+ch.ID)
	say(mia, room, "nonsense")
	s.says(mia, room, "", "Unknown command")
}
