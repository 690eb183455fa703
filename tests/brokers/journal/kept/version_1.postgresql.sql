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
    reason text NOT NULL
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
    positions integer NOT NULL
);
CREATE TABLE public.fills (
    client_order_id character varying(128) NOT NULL,
    fill_key character varying(255) NOT NULL,
    kind character varying(16) NOT NULL,
    fill_id text NOT NULL,
    quantity numeric NOT NULL,
    price numeric NOT NULL,
    cumulative numeric,
    "time" timestamp with time zone NOT NULL
);
CREATE TABLE public.halts (
    session date NOT NULL,
    module character varying(64) NOT NULL,
    "time" timestamp with time zone NOT NULL,
    reason text NOT NULL
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
    reason text NOT NULL
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
    journaled_at timestamp with time zone NOT NULL
);
CREATE TABLE public.runs (
    id integer NOT NULL,
    started timestamp with time zone NOT NULL,
    mode text NOT NULL,
    strategy text NOT NULL,
    profile text NOT NULL,
    config_hash text NOT NULL
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
    equity numeric NOT NULL
);
CREATE TABLE public.splits (
    symbol text NOT NULL,
    "time" timestamp with time zone NOT NULL,
    before numeric NOT NULL,
    after numeric NOT NULL
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
INSERT INTO public.decisions VALUES (1, 1, '2023-03-07 15:00:00+00', 0, 'AAPL', 'buy', 'entry', 'mean_reversion', 80.0, 100.0, 95.0, 114.99999999999999, 2.0, 60.0, 50.0, 'resized', 'test');
INSERT INTO public.decisions VALUES (2, 1, '2023-03-07 15:00:03+00', 0, 'TSLA', 'buy', 'entry', 'mean_reversion', 80.0, 100.0, 95.0, 114.99999999999999, 2.0, 60.0, 0.0, 'refused', 'test');
INSERT INTO public.decisions VALUES (3, 1, '2023-03-07 15:00:13+00', 0, 'MSFT', 'buy', 'entry', 'mean_reversion', 80.0, 100.0, 95.0, 114.99999999999999, 2.0, 60.0, 40.0, 'resized', 'test');
INSERT INTO public.decisions VALUES (4, 1, '2023-03-07 15:00:30+00', 0, 'NVDA', 'buy', 'entry', 'mean_reversion', 80.0, 100.0, 95.0, 114.99999999999999, 2.0, 60.0, 50.0, 'resized', 'test');
INSERT INTO public.equity VALUES ('2023-03-07 15:00:00.000006+00', 100000.0, 100000.0, 0, 0, 0);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:01.000006+00', 99999.51, 95099.51, 4900.0, 0, 1);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:02.000004+00', 99999.51, 95099.51, 4900.0, 0, 1);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:03.000004+00', 99999.51, 95099.51, 4900.0, 0, 1);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:03.000008+00', 99999.51, 95099.51, 4900.0, 0, 1);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:04.000006+00', 99999.51, 95099.51, 4900.0, 0, 1);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:05.000007+00', 99999.51, 95099.51, 4900.0, 0, 1);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:06.000006+00', 99999.02, 99999.02, 0, 0, 0);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:07.000002+00', 99999.02, 99999.02, 0, 0, 0);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:08.000002+00', 99999.02, 99999.02, 0, 0, 0);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:09.000002+00', 99999.02, 99999.02, 0, 0, 0);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:10.000002+00', 99999.02, 99999.02, 0, 0, 0);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:11.000002+00', 99999.02, 99999.02, 0, 0, 0);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:12.000002+00', 99999.02, 99999.02, 0, 0, 0);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:13.000002+00', 99999.02, 99999.02, 0, 0, 0);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:13.000004+00', 99999.02, 99999.02, 0, 0, 0);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:15.000006+00', 99998.63, 96098.63, 3900.0, 0, 1);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:16.000004+00', 99998.63, 96098.63, 3900.0, 0, 1);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:17.000004+00', 99998.63, 96098.63, 3900.0, 0, 1);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:18.000004+00', 99998.63, 96098.63, 3900.0, 0, 1);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:19.000004+00', 99998.63, 96098.63, 3900.0, 0, 1);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:20.000004+00', 99998.63, 96098.63, 3900.0, 0, 1);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:21.000004+00', 100622.24, 100622.24, 0, 0, 0);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:22.000002+00', 100622.24, 100622.24, 0, 0, 0);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:23.000002+00', 100622.24, 100622.24, 0, 0, 0);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:24.000002+00', 100622.24, 100622.24, 0, 0, 0);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:25.000004+00', 100622.17, 99922.17, 700.0, 0, 1);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:26.000002+00', 100622.17, 99922.17, 700.0, 0, 1);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:27.000002+00', 100622.17, 99922.17, 700.0, 0, 1);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:28.000004+00', 100622.1, 100622.1, 0, 0, 0);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:29.000002+00', 100622.1, 100622.1, 0, 0, 0);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:30.000002+00', 100622.1, 100622.1, 0, 0, 0);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:30.000004+00', 100622.1, 100622.1, 0, 0, 0);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:31.000006+00', 100621.61, 95721.61, 4900.0, 0, 1);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:32.000004+00', 100621.61, 95721.61, 4900.0, 0, 1);
INSERT INTO public.equity VALUES ('2023-03-07 15:00:33.000004+00', 100621.61, 95721.61, 4900.0, 0, 1);
INSERT INTO public.fills VALUES ('combined-AAPL-20230307T150000-entry-0-68f9061191350963', 'id:5a921187-19c7-4df4-8f4f-f31e78de5857', 'execution', '5a921187-19c7-4df4-8f4f-f31e78de5857', 49, 100.01, 49, '2023-03-07 15:00:01+00');
INSERT INTO public.fills VALUES ('combined-AAPL-20230307T150000-entry-0-68f9061191350963', 'sum:49@100.01', 'cumulative', '', 49, 100.01, 49, '2023-03-07 15:00:01+00');
INSERT INTO public.fills VALUES ('combined-AAPL-20230307T150003-close-0-3ec2ddbd1dedc71c', 'id:8d723104-f773-43c1-b458-a748e9bb17bc', 'execution', '8d723104-f773-43c1-b458-a748e9bb17bc', 49, 99.99, 49, '2023-03-07 15:00:06+00');
INSERT INTO public.fills VALUES ('combined-AAPL-20230307T150003-close-0-3ec2ddbd1dedc71c', 'sum:49@99.99', 'cumulative', '', 49, 99.99, 49, '2023-03-07 15:00:06+00');
INSERT INTO public.fills VALUES ('combined-MSFT-20230307T150013-entry-0-899ad0fe82f0de79', 'id:baf3897a-3e70-416a-9548-5822de1b372a', 'execution', 'baf3897a-3e70-416a-9548-5822de1b372a', 19, 100.01, 19, '2023-03-07 15:00:14+00');
INSERT INTO public.fills VALUES ('combined-MSFT-20230307T150013-entry-0-899ad0fe82f0de79', 'sum:19@100.01', 'cumulative', '', 19, 100.01, 19, '2023-03-07 15:00:14+00');
INSERT INTO public.fills VALUES ('combined-MSFT-20230307T150013-entry-0-899ad0fe82f0de79', 'id:101fbccc-ded7-43e8-b421-eaeb534097ca', 'execution', '101fbccc-ded7-43e8-b421-eaeb534097ca', 20, 100.01, 39, '2023-03-07 15:00:15+00');
INSERT INTO public.fills VALUES ('combined-MSFT-20230307T150013-entry-0-899ad0fe82f0de79', 'sum:39@100.01', 'cumulative', '', 39, 100.01, 39, '2023-03-07 15:00:15+00');
INSERT INTO public.fills VALUES ('b5d32b16-6619-4cb1-9710-37d1b83e90ec', 'id:38c1962e-9148-424f-aac1-c14f30e9c5cc', 'execution', '38c1962e-9148-424f-aac1-c14f30e9c5cc', 39, 115.99, 39, '2023-03-07 15:00:21+00');
INSERT INTO public.fills VALUES ('b5d32b16-6619-4cb1-9710-37d1b83e90ec', 'sum:39@115.99', 'cumulative', '', 39, 115.99, 39, '2023-03-07 15:00:21+00');
INSERT INTO public.fills VALUES ('by-hand-1', 'sum:7@100.01', 'cumulative', '', 7, 100.01, 7, '2023-03-07 15:00:25+00');
INSERT INTO public.fills VALUES ('by-hand-2', 'sum:7@99.99', 'cumulative', '', 7, 99.99, 7, '2023-03-07 15:00:28+00');
INSERT INTO public.fills VALUES ('combined-NVDA-20230307T150030-entry-0-bae2129ca1084193', 'id:2f120554-4a53-48cc-bdfa-bc08935ddd72', 'execution', '2f120554-4a53-48cc-bdfa-bc08935ddd72', 49, 100.01, 49, '2023-03-07 15:00:31+00');
INSERT INTO public.fills VALUES ('combined-NVDA-20230307T150030-entry-0-bae2129ca1084193', 'sum:49@100.01', 'cumulative', '', 49, 100.01, 49, '2023-03-07 15:00:31+00');
INSERT INTO public.halts VALUES ('2023-03-07', 'drawdown_halt', '2023-03-07 15:00:33+00', 'equity 97000.00');
INSERT INTO public.meta VALUES ('schema_version', '1');
INSERT INTO public.meta VALUES ('account_id', 'rehearsal-account');
INSERT INTO public.meta VALUES ('writer', 'd685b4881c5940eebff208dfa6f50c64');
INSERT INTO public.order_events VALUES (1, 'combined-AAPL-20230307T150000-entry-0-68f9061191350963', 'journaled', '2023-03-07 15:00:00+00', 'journaled', 'journaled', '50 became 49 at the quote 100.0100; test');
INSERT INTO public.order_events VALUES (2, 'combined-AAPL-20230307T150000-entry-0-68f9061191350963', 'sent', '2023-03-07 15:00:00+00', 'sent', 'sent', '');
INSERT INTO public.order_events VALUES (3, '5487ce1e-af19-422a-99b8-a714e61a441c', 'journaled', '2023-03-07 15:00:00+00', 'journaled', 'journaled', 'leg of combined-AAPL-20230307T150000-entry-0-68f9061191350963');
INSERT INTO public.order_events VALUES (4, '5487ce1e-af19-422a-99b8-a714e61a441c', 'adopted', '2023-03-07 15:00:00+00', 'working', 'working', 'adopted');
INSERT INTO public.order_events VALUES (5, '5487ce1e-af19-422a-99b8-a714e61a441c', 'held:0', '2023-03-07 15:00:00+00', 'working', 'working', '');
INSERT INTO public.order_events VALUES (6, 'combined-AAPL-20230307T150000-entry-0-68f9061191350963', 'pending_new:0', '2023-03-07 15:00:00+00', 'working', 'working', '');
INSERT INTO public.order_events VALUES (7, '259f4329-e6f4-490b-9a16-4106cf6a659e', 'journaled', '2023-03-07 15:00:00+00', 'journaled', 'journaled', 'leg of combined-AAPL-20230307T150000-entry-0-68f9061191350963');
INSERT INTO public.order_events VALUES (8, '259f4329-e6f4-490b-9a16-4106cf6a659e', 'adopted', '2023-03-07 15:00:00+00', 'working', 'working', 'adopted');
INSERT INTO public.order_events VALUES (9, '259f4329-e6f4-490b-9a16-4106cf6a659e', 'held:0', '2023-03-07 15:00:00+00', 'working', 'working', '');
INSERT INTO public.order_events VALUES (10, 'combined-AAPL-20230307T150000-entry-0-68f9061191350963', 'new:0', '2023-03-07 15:00:01+00', 'working', 'working', '');
INSERT INTO public.order_events VALUES (11, 'combined-AAPL-20230307T150000-entry-0-68f9061191350963', 'filled:49:id:5a921187-19c7-4df4-8f4f-f31e78de5857', '2023-03-07 15:00:01+00', 'filled', 'filled', '');
INSERT INTO public.order_events VALUES (12, '259f4329-e6f4-490b-9a16-4106cf6a659e', 'new:0', '2023-03-07 15:00:01+00', 'working', 'working', '');
INSERT INTO public.order_events VALUES (13, '5487ce1e-af19-422a-99b8-a714e61a441c', 'canceled:0', '2023-03-07 15:00:04+00', 'cancelled', 'cancelled', '');
INSERT INTO public.order_events VALUES (14, '259f4329-e6f4-490b-9a16-4106cf6a659e', 'canceled:0', '2023-03-07 15:00:04+00', 'cancelled', 'cancelled', '');
INSERT INTO public.order_events VALUES (15, 'combined-AAPL-20230307T150003-close-0-3ec2ddbd1dedc71c', 'journaled', '2023-03-07 15:00:05+00', 'journaled', 'journaled', 'TEST_EXIT');
INSERT INTO public.order_events VALUES (16, 'combined-AAPL-20230307T150003-close-0-3ec2ddbd1dedc71c', 'sent', '2023-03-07 15:00:05+00', 'sent', 'sent', '');
INSERT INTO public.order_events VALUES (17, 'combined-AAPL-20230307T150003-close-0-3ec2ddbd1dedc71c', 'pending_new:0', '2023-03-07 15:00:05+00', 'working', 'working', '');
INSERT INTO public.order_events VALUES (18, 'combined-AAPL-20230307T150003-close-0-3ec2ddbd1dedc71c', 'new:0', '2023-03-07 15:00:06+00', 'working', 'working', '');
INSERT INTO public.order_events VALUES (19, 'combined-AAPL-20230307T150003-close-0-3ec2ddbd1dedc71c', 'filled:49:id:8d723104-f773-43c1-b458-a748e9bb17bc', '2023-03-07 15:00:06+00', 'filled', 'filled', '');
INSERT INTO public.order_events VALUES (20, 'combined-MSFT-20230307T150013-entry-0-899ad0fe82f0de79', 'journaled', '2023-03-07 15:00:13+00', 'journaled', 'journaled', '40 became 39 at the quote 100.0100; test');
INSERT INTO public.order_events VALUES (21, 'combined-MSFT-20230307T150013-entry-0-899ad0fe82f0de79', 'sent', '2023-03-07 15:00:13+00', 'sent', 'sent', '');
INSERT INTO public.order_events VALUES (22, 'b5d32b16-6619-4cb1-9710-37d1b83e90ec', 'journaled', '2023-03-07 15:00:13+00', 'journaled', 'journaled', 'leg of combined-MSFT-20230307T150013-entry-0-899ad0fe82f0de79');
INSERT INTO public.order_events VALUES (23, 'b5d32b16-6619-4cb1-9710-37d1b83e90ec', 'adopted', '2023-03-07 15:00:13+00', 'working', 'working', 'adopted');
INSERT INTO public.order_events VALUES (24, 'b5d32b16-6619-4cb1-9710-37d1b83e90ec', 'held:0', '2023-03-07 15:00:13+00', 'working', 'working', '');
INSERT INTO public.order_events VALUES (25, 'combined-MSFT-20230307T150013-entry-0-899ad0fe82f0de79', 'pending_new:0', '2023-03-07 15:00:13+00', 'working', 'working', '');
INSERT INTO public.order_events VALUES (26, 'd3fbf47a-7e5b-4e7f-9ca5-499d004ae545', 'journaled', '2023-03-07 15:00:13+00', 'journaled', 'journaled', 'leg of combined-MSFT-20230307T150013-entry-0-899ad0fe82f0de79');
INSERT INTO public.order_events VALUES (27, 'd3fbf47a-7e5b-4e7f-9ca5-499d004ae545', 'adopted', '2023-03-07 15:00:13+00', 'working', 'working', 'adopted');
INSERT INTO public.order_events VALUES (28, 'd3fbf47a-7e5b-4e7f-9ca5-499d004ae545', 'held:0', '2023-03-07 15:00:13+00', 'working', 'working', '');
INSERT INTO public.order_events VALUES (29, 'combined-MSFT-20230307T150013-entry-0-899ad0fe82f0de79', 'new:0', '2023-03-07 15:00:14+00', 'working', 'working', '');
INSERT INTO public.order_events VALUES (30, 'combined-MSFT-20230307T150013-entry-0-899ad0fe82f0de79', 'partially_filled:19:id:baf3897a-3e70-416a-9548-5822de1b372a', '2023-03-07 15:00:14+00', 'partially_filled', 'partially_filled', '');
INSERT INTO public.order_events VALUES (31, 'combined-MSFT-20230307T150013-entry-0-899ad0fe82f0de79', 'filled:39:id:101fbccc-ded7-43e8-b421-eaeb534097ca', '2023-03-07 15:00:15+00', 'filled', 'filled', '');
INSERT INTO public.order_events VALUES (32, 'b5d32b16-6619-4cb1-9710-37d1b83e90ec', 'new:0', '2023-03-07 15:00:15+00', 'working', 'working', '');
INSERT INTO public.order_events VALUES (33, 'b5d32b16-6619-4cb1-9710-37d1b83e90ec', 'filled:39:id:38c1962e-9148-424f-aac1-c14f30e9c5cc', '2023-03-07 15:00:21+00', 'filled', 'filled', '');
INSERT INTO public.order_events VALUES (34, 'd3fbf47a-7e5b-4e7f-9ca5-499d004ae545', 'canceled:0', '2023-03-07 15:00:21+00', 'cancelled', 'cancelled', '');
INSERT INTO public.order_events VALUES (35, 'by-hand-1', 'journaled', '2023-03-07 15:00:25+00', 'journaled', 'journaled', 'found at the venue, sent by hand');
INSERT INTO public.order_events VALUES (36, 'by-hand-1', 'adopted', '2023-03-07 15:00:25+00', 'working', 'working', 'adopted');
INSERT INTO public.order_events VALUES (37, 'by-hand-1', 'filled:7', '2023-03-07 15:00:25+00', 'filled', 'filled', '');
INSERT INTO public.order_events VALUES (38, 'by-hand-2', 'journaled', '2023-03-07 15:00:28+00', 'journaled', 'journaled', 'found at the venue, sent by hand');
INSERT INTO public.order_events VALUES (39, 'by-hand-2', 'adopted', '2023-03-07 15:00:28+00', 'working', 'working', 'adopted');
INSERT INTO public.order_events VALUES (40, 'by-hand-2', 'filled:7', '2023-03-07 15:00:28+00', 'filled', 'filled', '');
INSERT INTO public.order_events VALUES (41, 'combined-NVDA-20230307T150030-entry-0-bae2129ca1084193', 'journaled', '2023-03-07 15:00:30+00', 'journaled', 'journaled', '50 became 49 at the quote 100.0100; test');
INSERT INTO public.order_events VALUES (42, 'combined-NVDA-20230307T150030-entry-0-bae2129ca1084193', 'sent', '2023-03-07 15:00:30+00', 'sent', 'sent', '');
INSERT INTO public.order_events VALUES (43, '5129fb7c-6288-41a5-8c45-782198a6416d', 'journaled', '2023-03-07 15:00:30+00', 'journaled', 'journaled', 'leg of combined-NVDA-20230307T150030-entry-0-bae2129ca1084193');
INSERT INTO public.order_events VALUES (44, '5129fb7c-6288-41a5-8c45-782198a6416d', 'adopted', '2023-03-07 15:00:30+00', 'working', 'working', 'adopted');
INSERT INTO public.order_events VALUES (45, '5129fb7c-6288-41a5-8c45-782198a6416d', 'held:0', '2023-03-07 15:00:30+00', 'working', 'working', '');
INSERT INTO public.order_events VALUES (46, 'combined-NVDA-20230307T150030-entry-0-bae2129ca1084193', 'pending_new:0', '2023-03-07 15:00:30+00', 'working', 'working', '');
INSERT INTO public.order_events VALUES (47, '8c1745a7-9a6a-4f92-8ca7-4147f6be1f72', 'journaled', '2023-03-07 15:00:30+00', 'journaled', 'journaled', 'leg of combined-NVDA-20230307T150030-entry-0-bae2129ca1084193');
INSERT INTO public.order_events VALUES (48, '8c1745a7-9a6a-4f92-8ca7-4147f6be1f72', 'adopted', '2023-03-07 15:00:30+00', 'working', 'working', 'adopted');
INSERT INTO public.order_events VALUES (49, '8c1745a7-9a6a-4f92-8ca7-4147f6be1f72', 'held:0', '2023-03-07 15:00:30+00', 'working', 'working', '');
INSERT INTO public.order_events VALUES (50, 'combined-NVDA-20230307T150030-entry-0-bae2129ca1084193', 'new:0', '2023-03-07 15:00:31+00', 'working', 'working', '');
INSERT INTO public.order_events VALUES (51, 'combined-NVDA-20230307T150030-entry-0-bae2129ca1084193', 'filled:49:id:2f120554-4a53-48cc-bdfa-bc08935ddd72', '2023-03-07 15:00:31+00', 'filled', 'filled', '');
INSERT INTO public.order_events VALUES (52, '8c1745a7-9a6a-4f92-8ca7-4147f6be1f72', 'new:0', '2023-03-07 15:00:31+00', 'working', 'working', '');
INSERT INTO public.order_events VALUES (53, '8c1745a7-9a6a-4f92-8ca7-4147f6be1f72', 'canceled:0', '2023-03-07 15:00:34+00', 'cancelled', 'cancelled', '');
INSERT INTO public.order_events VALUES (54, '5129fb7c-6288-41a5-8c45-782198a6416d', 'canceled:0', '2023-03-07 15:00:34+00', 'cancelled', 'cancelled', '');
INSERT INTO public.orders VALUES ('combined-AAPL-20230307T150000-entry-0-68f9061191350963', 1, NULL, '1846d424-c17c-4279-a3c6-612f48268673', 'combined', 'AAPL', 'buy', 49, 'limit', 'entry', 100.07, NULL, 95.01, 115.01, '2023-03-07 15:00:00+00', 0, '50 became 49 at the quote 100.0100; test', 'filled', 49, 4900.49, false, '2023-03-07 15:00:00+00');
INSERT INTO public.orders VALUES ('5487ce1e-af19-422a-99b8-a714e61a441c', 1, 'combined-AAPL-20230307T150000-entry-0-68f9061191350963', '12e0c8b2-bad6-40fb-9948-8dec4f65d4d9', 'combined', 'AAPL', 'sell', 49, 'stop', 'stop', NULL, 95.01, NULL, NULL, '2023-03-07 15:00:00+00', 0, 'leg of combined-AAPL-20230307T150000-entry-0-68f9061191350963', 'cancelled', 0, 0, false, '2023-03-07 15:00:00+00');
INSERT INTO public.orders VALUES ('259f4329-e6f4-490b-9a16-4106cf6a659e', 1, 'combined-AAPL-20230307T150000-entry-0-68f9061191350963', 'b4862b21-fb97-4435-8856-1712e8e5216a', 'combined', 'AAPL', 'sell', 49, 'limit', 'target', 115.01, NULL, NULL, NULL, '2023-03-07 15:00:00+00', 0, 'leg of combined-AAPL-20230307T150000-entry-0-68f9061191350963', 'cancelled', 0, 0, false, '2023-03-07 15:00:00+00');
INSERT INTO public.orders VALUES ('combined-AAPL-20230307T150003-close-0-3ec2ddbd1dedc71c', 1, NULL, 'a3f2c9bf-9c63-46b9-90f2-44556f25e2a2', 'combined', 'AAPL', 'sell', 49, 'limit', 'close', 99.89, NULL, NULL, NULL, '2023-03-07 15:00:03+00', 0, 'TEST_EXIT', 'filled', 49, 4899.51, false, '2023-03-07 15:00:05+00');
INSERT INTO public.orders VALUES ('combined-MSFT-20230307T150013-entry-0-899ad0fe82f0de79', 1, NULL, '85776e9a-dd84-439e-b154-5a137a1d5006', 'combined', 'MSFT', 'buy', 39, 'limit', 'entry', 100.07, NULL, 95.01, 115.01, '2023-03-07 15:00:13+00', 0, '40 became 39 at the quote 100.0100; test', 'filled', 39, 3900.39, false, '2023-03-07 15:00:13+00');
INSERT INTO public.orders VALUES ('b5d32b16-6619-4cb1-9710-37d1b83e90ec', 1, 'combined-MSFT-20230307T150013-entry-0-899ad0fe82f0de79', '17e0aa3c-0398-4ca8-aa7e-9d498c778ea6', 'combined', 'MSFT', 'sell', 39, 'limit', 'target', 115.01, NULL, NULL, NULL, '2023-03-07 15:00:13+00', 0, 'leg of combined-MSFT-20230307T150013-entry-0-899ad0fe82f0de79', 'filled', 39, 4523.61, false, '2023-03-07 15:00:13+00');
INSERT INTO public.orders VALUES ('d3fbf47a-7e5b-4e7f-9ca5-499d004ae545', 1, 'combined-MSFT-20230307T150013-entry-0-899ad0fe82f0de79', 'a0116be5-ab0c-4681-88f8-e3d0d3290a4c', 'combined', 'MSFT', 'sell', 39, 'stop', 'stop', NULL, 95.01, NULL, NULL, '2023-03-07 15:00:13+00', 0, 'leg of combined-MSFT-20230307T150013-entry-0-899ad0fe82f0de79', 'cancelled', 0, 0, false, '2023-03-07 15:00:13+00');
INSERT INTO public.orders VALUES ('by-hand-1', 1, NULL, '247a8333-f7b0-47d2-8da8-056c3d15eef7', 'combined', 'PLTR', 'buy', 7, 'market', 'manual', NULL, NULL, NULL, NULL, '2023-03-07 15:00:24+00', 0, 'found at the venue, sent by hand', 'filled', 7, 700.07, false, '2023-03-07 15:00:25+00');
INSERT INTO public.orders VALUES ('by-hand-2', 1, NULL, 'e005b860-51ef-4922-be43-c49e149818d1', 'combined', 'PLTR', 'sell', 7, 'market', 'manual', NULL, NULL, NULL, NULL, '2023-03-07 15:00:27+00', 0, 'found at the venue, sent by hand', 'filled', 7, 699.93, false, '2023-03-07 15:00:28+00');
INSERT INTO public.orders VALUES ('combined-NVDA-20230307T150030-entry-0-bae2129ca1084193', 1, NULL, '4a84eb03-8d1f-49b7-8d2b-9deb1beb3711', 'combined', 'NVDA', 'buy', 49, 'limit', 'entry', 100.07, NULL, 95.01, 115.01, '2023-03-07 15:00:30+00', 0, '50 became 49 at the quote 100.0100; test', 'filled', 49, 4900.49, false, '2023-03-07 15:00:30+00');
INSERT INTO public.orders VALUES ('8c1745a7-9a6a-4f92-8ca7-4147f6be1f72', 1, 'combined-NVDA-20230307T150030-entry-0-bae2129ca1084193', '3405095c-8a50-46c1-ac18-8efbd080e66e', 'combined', 'NVDA', 'sell', 49, 'limit', 'target', 115.01, NULL, NULL, NULL, '2023-03-07 15:00:30+00', 0, 'leg of combined-NVDA-20230307T150030-entry-0-bae2129ca1084193', 'cancelled', 0, 0, false, '2023-03-07 15:00:30+00');
INSERT INTO public.orders VALUES ('5129fb7c-6288-41a5-8c45-782198a6416d', 1, 'combined-NVDA-20230307T150030-entry-0-bae2129ca1084193', '1775336d-71ea-4d05-89a3-e80e966e1277', 'combined', 'NVDA', 'sell', 49, 'stop', 'stop', NULL, 95.01, NULL, NULL, '2023-03-07 15:00:30+00', 0, 'leg of combined-NVDA-20230307T150030-entry-0-bae2129ca1084193', 'cancelled', 0, 0, false, '2023-03-07 15:00:30+00');
INSERT INTO public.runs VALUES (1, '2023-03-07 15:00:00+00', 'rehearse', 'combined', 'active', 'hash');
INSERT INTO public.sessions VALUES ('2023-03-07', '2023-03-07 15:00:00.000006+00', 100000);
INSERT INTO public.trades VALUES ('combined-AAPL-20230307T150000-entry-0-68f9061191350963', 'combined-AAPL-20230307T150003-close-0-3ec2ddbd1dedc71c', 'AAPL', 'buy', 49.0, '2023-03-07 15:00:01+00', 100.01, '2023-03-07 15:00:06+00', 99.99, 95.01, 115.01, 2.0, 2.5, -0.98, -0.004000000000002046, 'close', 'mean_reversion', 80.0);
INSERT INTO public.trades VALUES ('combined-MSFT-20230307T150013-entry-0-899ad0fe82f0de79', 'b5d32b16-6619-4cb1-9710-37d1b83e90ec', 'MSFT', 'buy', 39.0, '2023-03-07 15:00:15+00', 100.01, '2023-03-07 15:00:21+00', 115.99, 95.01, 115.01, 2.0, 2.5, 623.22, 3.195999999999998, 'target', 'mean_reversion', 80.0);
INSERT INTO public.verdicts VALUES (1, 0, 'sector_cap', 'OK', 60.0, 60.0, '{"sector": "technology", "share": 0.1}', NULL);
INSERT INTO public.verdicts VALUES (1, 1, 'cash_buffer', 'CASH_BUFFER: 50 left', 60.0, 50.0, '{"cash": 5000.5}', NULL);
INSERT INTO public.verdicts VALUES (2, 0, 'drawdown_halt', 'DRAWDOWN_HALT', 60.0, 0.0, '{"drawdown": 0.031}', NULL);
INSERT INTO public.verdicts VALUES (3, 0, 'sector_cap', 'OK', 60.0, 60.0, '{"sector": "technology", "share": 0.1}', NULL);
INSERT INTO public.verdicts VALUES (3, 1, 'cash_buffer', 'OK', 60.0, 40.0, '{}', NULL);
INSERT INTO public.verdicts VALUES (4, 0, 'sector_cap', 'OK', 60.0, 60.0, '{"sector": "technology", "share": 0.1}', NULL);
INSERT INTO public.verdicts VALUES (4, 1, 'cash_buffer', 'OK', 60.0, 50.0, '{}', NULL);
SELECT pg_catalog.setval('public.decisions_id_seq', 4, true);
SELECT pg_catalog.setval('public.order_events_id_seq', 54, true);
SELECT pg_catalog.setval('public.runs_id_seq', 1, true);
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
