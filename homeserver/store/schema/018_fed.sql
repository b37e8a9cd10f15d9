-- What a server said when it last named a key that it names no more, as it is passed on to those who ask
-- us as a notary for that key. NULL: the newest answer (server_key_response) names it.
ALTER TABLE server_key ADD COLUMN response {blob};
