-- An agent that is between two replicas, or whose replica has not compared it yet, enforces what it
-- had: whoever waits for a revision must not take its silence for consent.
ALTER TABLE turnpike.agent_state ADD COLUMN settled boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN turnpike.agent_state.settled IS
    'False from a connection, or the loss of one, until a replica has compared what the agent enforces';
