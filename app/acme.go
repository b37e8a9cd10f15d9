package app

import "github.com/landbridge-im/landbridge/internal/acme"

// openACME prepares certificates, if the configuration wants them.
func (s *serving) openACME() (err error) {
	c := s.cfg
	if !c.ACME.Enabled {
		return nil
	}
	s.certs, err = acme.New(acme.Options{Domains: c.ACMEDomains(), Email: c.ACME.Email, Directory: c.ACME.Directory, Dir: c.ACMEPath(),
		Roots: s.roots, UserAgent: "Landbridge/" + s.std.build.Version, Log: s.log})
	return err
}
