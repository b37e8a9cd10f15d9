-- With what program a device was last used: GET /admin/whois and the administrators' API tell it.
ALTER TABLE device ADD COLUMN last_seen_agent TEXT NOT NULL DEFAULT '';
