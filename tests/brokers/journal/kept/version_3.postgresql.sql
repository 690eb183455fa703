SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'SQL_ASCII';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.decisions (
    id integer NOT NULL,
    run_id integer,
    "time" timestamp with time zone NOT NULL,
    sequence integer NOT NULL,
    symbol text NOT NULL,
    side text NOT NULL,
    role text NOT NULL,
    signal text NOT NULL,
    score numeric,
    price numeric,
    stop numeric,
    target numeric,
    atr numeric,
    proposed_quantity numeric NOT NULL,
    final_quantity numeric NOT NULL,
    outcome text NOT NULL,
    reason text NOT NULL,
    link integer,
    hash character varying(64)
);
CREATE SEQUENCE public.decisions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.decisions_id_seq OWNED BY public.decisions.id;
CREATE TABLE public.equity (
    "time" timestamp with time zone NOT NULL,
    equity numeric NOT NULL,
    cash numeric NOT NULL,
    long_exposure numeric NOT NULL,
    inverse_exposure numeric NOT NULL,
    positions integer NOT NULL,
    link integer,
    hash character varying(64)
);
CREATE TABLE public.fills (
    client_order_id character varying(128) NOT NULL,
    fill_key character varying(255) NOT NULL,
    kind character varying(16) NOT NULL,
    fill_id text NOT NULL,
    quantity numeric NOT NULL,
    price numeric NOT NULL,
    cumulative numeric,
    fees numeric,
    "time" timestamp with time zone NOT NULL,
    link integer,
    hash character varying(64)
);
CREATE TABLE public.halts (
    session date NOT NULL,
    module character varying(64) NOT NULL,
    "time" timestamp with time zone NOT NULL,
    reason text NOT NULL,
    link integer,
    hash character varying(64)
);
CREATE TABLE public.meta (
    key character varying(32) NOT NULL,
    value text NOT NULL
);
CREATE TABLE public.order_events (
    id integer NOT NULL,
    client_order_id character varying(128) NOT NULL,
    event_key text NOT NULL,
    "time" timestamp with time zone NOT NULL,
    status character varying(16) NOT NULL,
    state character varying(16) NOT NULL,
    reason text NOT NULL,
    quantity numeric,
    venue_id text,
    link integer,
    hash character varying(64)
);
CREATE SEQUENCE public.order_events_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.order_events_id_seq OWNED BY public.order_events.id;
CREATE TABLE public.orders (
    client_order_id character varying(128) NOT NULL,
    run_id integer,
    parent_id character varying(128),
    venue_id text,
    strategy text NOT NULL,
    symbol text NOT NULL,
    side text NOT NULL,
    quantity numeric NOT NULL,
    type text NOT NULL,
    role text NOT NULL,
    limit_price numeric,
    stop_price numeric,
    bracket_stop numeric,
    bracket_target numeric,
    decision_time timestamp with time zone NOT NULL,
    sequence integer NOT NULL,
    reason text NOT NULL,
    state character varying(16) NOT NULL,
    filled_quantity numeric NOT NULL,
    filled_notional numeric NOT NULL,
    estimated boolean NOT NULL,
    fees numeric NOT NULL,
    journaled_at timestamp with time zone NOT NULL,
    link integer,
    hash character varying(64)
);
CREATE TABLE public.runs (
    id integer NOT NULL,
    started timestamp with time zone NOT NULL,
    mode text NOT NULL,
    strategy text NOT NULL,
    profile text NOT NULL,
    config_hash text NOT NULL,
    link integer,
    hash character varying(64)
);
CREATE SEQUENCE public.runs_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.runs_id_seq OWNED BY public.runs.id;
CREATE TABLE public.sessions (
    session date NOT NULL,
    "time" timestamp with time zone NOT NULL,
    equity numeric NOT NULL,
    link integer,
    hash character varying(64)
);
CREATE TABLE public.splits (
    symbol text NOT NULL,
    "time" timestamp with time zone NOT NULL,
    before numeric NOT NULL,
    after numeric NOT NULL,
    link integer,
    hash character varying(64)
);
CREATE TABLE public.trades (
    entry_order_id character varying(128) NOT NULL,
    exit_order_id character varying(128) NOT NULL,
    symbol text NOT NULL,
    side text NOT NULL,
    quantity numeric NOT NULL,
    entry_time timestamp with time zone NOT NULL,
    entry_price numeric NOT NULL,
    exit_time timestamp with time zone NOT NULL,
    exit_price numeric NOT NULL,
    stop numeric,
    target numeric,
    atr numeric,
    stop_multiple numeric,
    pnl numeric NOT NULL,
    r_multiple numeric,
    exit_reason text NOT NULL,
    signal text NOT NULL,
    score numeric
);
CREATE TABLE public.verdicts (
    decision_id integer NOT NULL,
    sequence integer NOT NULL,
    module text NOT NULL,
    code text NOT NULL,
    before numeric NOT NULL,
    after numeric NOT NULL,
    inputs json NOT NULL,
    until timestamp with time zone
);
ALTER TABLE ONLY public.decisions ALTER COLUMN id SET DEFAULT nextval('public.decisions_id_seq'::regclass);
ALTER TABLE ONLY public.order_events ALTER COLUMN id SET DEFAULT nextval('public.order_events_id_seq'::regclass);
ALTER TABLE ONLY public.runs ALTER COLUMN id SET DEFAULT nextval('public.runs_id_seq'::regclass);
INSERT INTO public.decisions VALUES (1, 1, '2024-03-04 15:30:00+00', 0, 'AMD', 'buy', 'entry', 'momentum', 72.5, 170.0, 163.0, 195.5, NULL, 300, 61, 'resized', 'RSI rose', 3, '24c2eead02a590b2591a78a354d3a6ebd1402dadc1300921894d9e0c886d6188');
INSERT INTO public.decisions VALUES (2, 1, '2024-03-04 15:30:00+00', 1, 'MARA', 'buy', 'entry', 'momentum', 72.5, 170.0, 163.0, 195.5, NULL, 50, 0, 'refused', 'RSI rose', 4, '2ed6cac9d24a050aaddc37bdc3ba06b76f0ffdd964569070660ad8160839346a');
INSERT INTO public.decisions VALUES (3, 1, '2024-03-04 15:30:00+00', 2, 'MU', 'buy', 'entry', 'momentum', 72.5, 170.0, 163.0, 195.5, NULL, 9, 0, 'refused', 'RSI rose', 5, '7f003d561f04c93a80db645409900acebc5e4169b0fa0a8504f47923d762a4f2');
INSERT INTO public.equity VALUES ('2024-03-04 15:30:00+00', 100000.0, 89628.14, 10371.86, 0.0, 1, 14, '647e4c0613abd2aed083e7ffc14195598c839230aabae1b8a0fb4fa60b7f4742');
INSERT INTO public.fills VALUES ('combined-AMD-20240304T153000-entry-0-4ee849ec813eed8a', 'sum:61@170.01-1.25', 'cumulative', '', 61, 170.01, 61, 1.25, '2024-03-04 15:30:09+00', 9, 'ab9aee176c884047d77a3bfcd3d9591aabc5fdcc76eb53b49bc0f9f67b378eb7');
INSERT INTO public.halts VALUES ('2024-03-04', 'drawdown_halt', '2024-03-04 15:30:00+00', 'equity 96000', 15, '5f7e89bc6e8036fa1df40a8f86ecb5bdaf0e26b26dc442f5bdc35eed6cdfcfb7');
INSERT INTO public.meta VALUES ('schema_version', '3');
INSERT INTO public.meta VALUES ('account_id', 'test');
INSERT INTO public.meta VALUES ('chain_begins_with', 'abd8967d1489edff3b4c076bcc24b4e60c40d30f3d5ea3d4faba49e5cbe9a638');
INSERT INTO public.meta VALUES ('writer', '41923ac0c86d42c9b1d1ab5e35603d6b');
INSERT INTO public.meta VALUES ('chain', '15 5f7e89bc6e8036fa1df40a8f86ecb5bdaf0e26b26dc442f5bdc35eed6cdfcfb7');
INSERT INTO public.order_events VALUES (1, 'combined-AMD-20240304T153000-entry-0-4ee849ec813eed8a', 'journaled', '2024-03-04 15:30:02+00', 'journaled', 'journaled', 'momentum 72', 61, NULL, 7, '54963e82af5049b1ce4241792d16a602baeb882bdc9d50601c30a43792bc9dd0');
INSERT INTO public.order_events VALUES (2, 'combined-AMD-20240304T153000-entry-0-4ee849ec813eed8a', 'sent', '2024-03-04 15:30:03+00', 'sent', 'sent', '', NULL, 'v-1', 8, '42ac9b1e1554612b7ca4b4542bdf0da602625f6e0f2fb0e95041eeac7c8472e6');
INSERT INTO public.order_events VALUES (3, 'combined-AMD-20240304T153000-entry-0-4ee849ec813eed8a', 'e-1', '2024-03-04 15:30:04+00', 'filled', 'filled', '', NULL, NULL, 10, 'e53d787ccf5c314c224b6f8a958ba8c124e225f3f6595d29a1b8978ccada01c6');
INSERT INTO public.order_events VALUES (4, 'combined-MU-20240304T153100-entry-0-1be43e4dcf5eba89', 'journaled', '2024-03-04 15:30:05+00', 'journaled', 'journaled', 'momentum 61', 9, NULL, 12, '639419aba6e5de7dcf06903bbafed8134ea8283833fd5419214a1602c0e13316');
INSERT INTO public.order_events VALUES (5, 'combined-MU-20240304T153100-entry-0-1be43e4dcf5eba89', 'rejected', '2024-03-04 15:30:06+00', 'rejected', 'rejected', 'insufficient buying power', NULL, NULL, 13, '1fea6234baa227a972e497fa227f3b1d572535e2eda9f32fe2a36715b65d170d');
INSERT INTO public.orders VALUES ('combined-AMD-20240304T153000-entry-0-4ee849ec813eed8a', 1, NULL, 'v-1', 'combined', 'AMD', 'buy', 61, 'limit', 'entry', 170.02, NULL, 163.0, 195.50, '2024-03-04 15:30:00+00', 0, 'momentum 72', 'filled', 61, 10370.61, false, 1.25, '2024-03-04 15:30:02+00', 6, '769bfaa3ef79d8259ef3e97541ec7af9bd2de7aeb60ce1b518d16cb3e9d514b6');
INSERT INTO public.orders VALUES ('combined-MU-20240304T153100-entry-0-1be43e4dcf5eba89', 1, NULL, NULL, 'combined', 'MU', 'buy', 9, 'limit', 'entry', 90, NULL, NULL, NULL, '2024-03-04 15:31:00+00', 0, 'momentum 61', 'rejected', 0, 0, false, 0, '2024-03-04 15:30:05+00', 11, 'bfb30474582d79599018ac13b6c3e7badc3bd730e9406125c466ad664d0fd445');
INSERT INTO public.runs VALUES (1, '2024-03-04 15:30:01+00', 'paper', 'combined', 'active', 'hash', 1, '3728f6ec74bdac2494cff6c1f84a2039118f7b6a87280b14a88d0720558601bb');
INSERT INTO public.sessions VALUES ('2024-03-04', '2024-03-04 15:30:00+00', 100000, 2, 'c27c64be0f4e2532cb9d30c126cfc3ba700b76c430d3b47756c45582ab3d8946');
INSERT INTO public.verdicts VALUES (1, 0, 'equity_sizer', 'EQUITY_SIZER: cut by notional', 300, 61, '{"equity": 105000.0}', NULL);
INSERT INTO public.verdicts VALUES (1, 1, 'sector_cap', 'OK', 61, 61, '{"count": 1, "nan": null}', NULL);
INSERT INTO public.verdicts VALUES (2, 0, 'sector_cap', 'SECTOR_CAP: crypto_adjacent 3/3', 50, 0, '{"count": 3, "held": ["COIN", "RIOT"]}', NULL);
INSERT INTO public.verdicts VALUES (3, 0, 'drawdown_halt', 'DRAWDOWN_HALT: 3.2%', 9, 0, '{}', '2024-03-04 20:30:00+00');
SELECT pg_catalog.setval('public.decisions_id_seq', 1, false);
SELECT pg_catalog.setval('public.order_events_id_seq', 5, true);
SELECT pg_catalog.setval('public.runs_id_seq', 1, false);
ALTER TABLE ONLY public.decisions
    ADD CONSTRAINT decisions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.decisions
    ADD CONSTRAINT decisions_run_id_time_sequence_key UNIQUE (run_id, "time", sequence);
ALTER TABLE ONLY public.equity
    ADD CONSTRAINT equity_pkey PRIMARY KEY ("time");
ALTER TABLE ONLY public.fills
    ADD CONSTRAINT fills_pkey PRIMARY KEY (client_order_id, fill_key);
ALTER TABLE ONLY public.halts
    ADD CONSTRAINT halts_pkey PRIMARY KEY (session, module);
ALTER TABLE ONLY public.meta
    ADD CONSTRAINT meta_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.order_events
    ADD CONSTRAINT order_events_client_order_id_event_key_key UNIQUE (client_order_id, event_key);
ALTER TABLE ONLY public.order_events
    ADD CONSTRAINT order_events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (client_order_id);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_venue_id_key UNIQUE (venue_id);
ALTER TABLE ONLY public.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (session);
ALTER TABLE ONLY public.splits
    ADD CONSTRAINT splits_pkey PRIMARY KEY (symbol, "time");
ALTER TABLE ONLY public.trades
    ADD CONSTRAINT trades_pkey PRIMARY KEY (entry_order_id, exit_order_id);
ALTER TABLE ONLY public.verdicts
    ADD CONSTRAINT verdicts_pkey PRIMARY KEY (decision_id, sequence);
CREATE INDEX decisions_symbol_time ON public.decisions USING btree (symbol, "time");
CREATE INDEX ix_orders_state ON public.orders USING btree (state);
CREATE INDEX ix_orders_symbol ON public.orders USING btree (symbol);
CREATE INDEX ix_trades_symbol ON public.trades USING btree (symbol);
CREATE INDEX orders_symbol_role_time ON public.orders USING btree (symbol, role, decision_time);
CREATE INDEX orders_unresolved ON public.orders USING btree (journaled_at) WHERE (((state)::text = ANY ((ARRAY['journaled'::character varying, 'sent'::character varying, 'unknown'::character varying])::text[])) OR estimated OR (((state)::text = 'filled'::text) AND (filled_quantity <> quantity)));
ALTER TABLE ONLY public.decisions
    ADD CONSTRAINT decisions_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.runs(id);
ALTER TABLE ONLY public.fills
    ADD CONSTRAINT fills_client_order_id_fkey FOREIGN KEY (client_order_id) REFERENCES public.orders(client_order_id);
ALTER TABLE ONLY public.order_events
    ADD CONSTRAINT order_events_client_order_id_fkey FOREIGN KEY (client_order_id) REFERENCES public.orders(client_order_id);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES public.orders(client_order_id);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.runs(id);
ALTER TABLE ONLY public.trades
    ADD CONSTRAINT trades_entry_order_id_fkey FOREIGN KEY (entry_order_id) REFERENCES public.orders(client_order_id);
ALTER TABLE ONLY public.trades
    ADD CONSTRAINT trades_exit_order_id_fkey FOREIGN KEY (exit_order_id) REFERENCES public.orders(client_order_id);
ALTER TABLE ONLY public.verdicts
    ADD CONSTRAINT verdicts_decision_id_fkey FOREIGN KEY (decision_id) REFERENCES public.decisions(id);
