package desk

import (
	"errors"

	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/migration/model"
	"github.com/landbridge-im/landbridge/migration/plan"
)

// People lists those who are in the exports that were brought in for a bridge, once each, the newest export first. Whom a mapping
// leaves out, or has made somebody here already, is not among them.
func (d *Desk) People(bridge string) (out []model.Person, err error) {
	seen := map[string]bool{}
	for _, m := range d.List() {
		if m.Ran.IsZero() {
			continue
		}
		mapping, _, err := d.Mapping(m.ID)
		if err != nil {
			return nil, sentence.Errorf("the export %s: %s", m.File, err)
		}
		if mapping.Naming.Service != bridge {
			continue
		}
		list, err := d.peopleOf(m)
		if err != nil {
			return nil, sentence.Errorf("the export %s: %s", m.File, err)
		}
		for _, p := range Others(list, mapping) {
			if !seen[p.Ghost] {
				seen[p.Ghost] = true
				out = append(out, p)
			}
		}
	}
	return out, nil
}

// Others are those of an export whom a mapping neither leaves out nor makes somebody here.
func Others(list []model.Person, m *plan.Mapping) (out []model.Person) {
	settled := map[string]bool{}
	for _, p := range m.People {
		settled[p.ID] = p.Without || p.Account != ""
	}
	for _, p := range list {
		if !settled[p.ID] {
			out = append(out, p)
		}
	}
	return out
}

func (d *Desk) peopleOf(m Migration) (_ []model.Person, err error) {
	o, err := d.o.Open(d.export(m), d.mappingFile(m.ID), m.Choice)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.Export.Close()) }()
	return o.Export.People(), nil
}
