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
INSERT INTO public.equity VALUES ('2026-11-28 19:00:00+00', 1000.0, 1000.0, 0, 0, 0, 3, '24a6a54de76260f7bd4db2c687916a5951e91adab01f3b095912c6be2d7e9e88');
INSERT INTO public.equity VALUES ('2026-11-28 19:00:01+00', 999.601489388, 900.0508, 99.550689388, 0, 1, 14, '75e817ae0aa1314b9971ac26d279d275b089f9b94b5d22fa90da0da424efe9ed');
INSERT INTO public.equity VALUES ('2026-11-28 19:00:02+00', 999.601489388, 900.0508, 99.550689388, 0, 1, 15, '579a3041d40bcaa6caa8c00c0f0194ef88bd86bff16935fceaccf5f05571b411');
INSERT INTO public.equity VALUES ('2026-11-28 19:00:03+00', 1005.132089388, 900.0508, 105.081289388, 0, 1, 16, '91958be9d254ac8739aa4d7f5f8a370acdf28bffda572b860c4642e0daca2960');
INSERT INTO public.equity VALUES ('2026-11-28 19:00:04+00', 1005.132089388, 900.0508, 105.081289388, 0, 1, 22, '7ed552aa178d2a7256c90f0a3a244cf50a6fef413fa6e634535768a3ae52d989');
INSERT INTO public.equity VALUES ('2026-11-28 19:00:05+00', 1004.7118, 1004.7118, 0, 0, 0, 25, '3f65ffd9c9cadfd3775a7907b4b43437b38692dabe5dd42ccfb09956067f132d');
INSERT INTO public.equity VALUES ('2026-11-28 19:00:06+00', 1004.7118, 1004.7118, 0, 0, 0, 26, '79c58ee988c1d877cdfa0b68d00d45c2a2a4289898df3bb9e758f1183dd4ab45');
INSERT INTO public.equity VALUES ('2026-11-28 19:00:07+00', 1004.7118, 1004.7118, 0, 0, 0, 27, '59fed5e006fc5d03968e938f0e8121b0b3aa5c898ecb763c923af59b0a9b312b');
INSERT INTO public.equity VALUES ('2026-11-28 19:00:08+00', 1004.7118, 1004.7118, 0, 0, 0, 28, 'f41d8ae4fe0098ba1570ed61ac8ec8fa88bc19ac2467044e1d50b2834443c668');
INSERT INTO public.equity VALUES ('2026-11-28 19:00:09+00', 1004.313345209, 904.762, 99.551345209, 0, 1, 39, '665d3df1f27aefbfab269d4a769e0ee8d7e3686914fa7eb416cc3dc55672a27f');
INSERT INTO public.equity VALUES ('2026-11-28 19:00:10+00', 1004.313345209, 904.762, 99.551345209, 0, 1, 40, '2b3e87f5b2789a9c630e52af8f9978d7acc7b7c93ee6826ce8f547a465608a42');
INSERT INTO public.equity VALUES ('2026-11-28 19:00:11+00', 993.478, 993.478, 0, 0, 0, 43, '69d0f970c9bbf245fe2fee1745f2961f2b7ada01ab9c06dcee6233d26f3e25cd');
INSERT INTO public.equity VALUES ('2026-11-28 19:00:12+00', 993.478, 993.478, 0, 0, 0, 44, '8ec507457624287840ed7cca2b4e37b38bfaaae5a3fb02b07fd023a7b2085bc4');
INSERT INTO public.equity VALUES ('2026-11-28 19:00:13+00', 993.478, 993.478, 0, 0, 0, 45, 'ee9d249974956269f683652f22b737bd9ee27c0e4303d35b738ec7dea836b682');
INSERT INTO public.equity VALUES ('2026-11-28 19:00:14+00', 993.478, 993.478, 0, 0, 0, 46, '0419b1cd9c6d3781b82ac025815af31dedefb20db9ae044a7a7f40aa68028dde');
INSERT INTO public.equity VALUES ('2026-11-28 19:00:15+00', 992.6802263257, 793.5786, 199.1016263257, 0, 1, 57, 'd9a560ac87593d11578c9855f2ce2a91f0909a56218140d33bf2ff0b4e9404f2');
INSERT INTO public.equity VALUES ('2026-11-28 19:00:16+00', 992.6802263257, 793.5786, 199.1016263257, 0, 1, 58, '29729d63a263ba5e5f5d9898b775dc427511a73ca5f286d583372d0e47d17ee5');
INSERT INTO public.equity VALUES ('2026-11-28 19:00:17+00', 992.6802263257, 793.5786, 199.1016263257, 0, 1, 59, '6cb602c810061114549614df13da87e655113f846e049e721fa58e2c957581f6');
INSERT INTO public.fills VALUES ('combined-BTC_USD-20261128T190000-entry-0-84665899e82a125a', 'sum:0.00110612@90000.099446714642', 'cumulative', '', 0.00110612, 90000.099446714642, 0.00110612, '2026-11-28 19:00:00+00', 8, 'df85dcd5835c0739ccdf5d93a1c97b3826072c423ede3d78032b3c510b4e7c59');
INSERT INTO public.fills VALUES ('combined-BTC_USD-20261128T190004-target-0-d00f082ceea717d0', 'sum:0.00110612@94999.900553285358', 'cumulative', '', 0.00110612, 94999.900553285358, 0.00110612, '2026-11-28 19:00:04+00', 23, '836e46c871e95311763e6b66bbd898420621ef800930b7e8f411c83cffe914c2');
INSERT INTO public.fills VALUES ('combined-BTC_USD-20261128T190008-entry-0-085a3f356f81ced9', 'sum:0.00104791@95000.095428042485', 'cumulative', '', 0.00104791, 95000.095428042485, 0.00104791, '2026-11-28 19:00:08+00', 33, '245c669c6070cb95b465f2b9012e7cee812faca65faf7932b6bf7817ff89a97f');
INSERT INTO public.fills VALUES ('ODGZ5A-NDIHU-LFQBD7', 'sum:0.00104791@84999.904571957515', 'cumulative', '', 0.00104791, 84999.904571957515, 0.00104791, '2026-11-28 19:00:11+00', 41, '9fb87d964e79b6ce24095aec046236d965b281d16c18f38e2e0a768d0aca450a');
INSERT INTO public.fills VALUES ('combined-ETH_USD-20261128T190014-entry-0-90af3c6c2d9afce5', 'sum:0.06636743@3000.009944637', 'cumulative', '', 0.06636743, 3000.009944637000, 0.06636743, '2026-11-28 19:00:14+00', 51, '8ca0b4647e39fe41618960cd93daa595d964368bed28042577cd590981fd5c09');
INSERT INTO public.meta VALUES ('schema_version', '2');
INSERT INTO public.meta VALUES ('account_id', 'test');
INSERT INTO public.meta VALUES ('chain_begins_with', 'abd8967d1489edff3b4c076bcc24b4e60c40d30f3d5ea3d4faba49e5cbe9a638');
INSERT INTO public.meta VALUES ('writer', 'a5faff4f73f84d9494ba3a7fecf9afa8');
INSERT INTO public.meta VALUES ('chain', '59 6cb602c810061114549614df13da87e655113f846e049e721fa58e2c957581f6');
INSERT INTO public.order_events VALUES (1, 'combined-BTC_USD-20261128T190000-entry-0-84665899e82a125a', 'journaled', '2026-11-28 19:00:00+00', 'journaled', 'journaled', '0.00111111 became 0.00110612 at the quote 90000.1000; test', 0.00110612, NULL, 5, '41c729115377dd771540d5d3bac86c4a5f520424331f38b071010c28bae721fa');
INSERT INTO public.order_events VALUES (2, 'combined-BTC_USD-20261128T190000-entry-0-84665899e82a125a', 'sent', '2026-11-28 19:00:00+00', 'sent', 'sent', '', NULL, 'O3YNIQ-MZJPS-5QJYTI', 6, '77a301c0d2fee4fe993899ccea42d665db635be8bf0d70b920473a50b54b68d1');
INSERT INTO public.order_events VALUES (3, 'combined-BTC_USD-20261128T190000-entry-0-84665899e82a125a', 'open:0', '2026-11-28 19:00:00+00', 'working', 'working', '', NULL, NULL, 7, '3cd765743f0c03ea18bb59679f3e3b6f4e6c78734246190aece6fc5392335b14');
INSERT INTO public.order_events VALUES (4, 'combined-BTC_USD-20261128T190000-entry-0-84665899e82a125a', 'closed:0.00110612', '2026-11-28 19:00:00+00', 'filled', 'filled', '', NULL, NULL, 9, 'c1445c20e7944bdbc9ee5fc06071242f71578786fdd1bc244e52b347c04be6fb');
INSERT INTO public.order_events VALUES (5, 'OIZRAX-M2VAP-3HK3GS', 'journaled', '2026-11-28 19:00:01+00', 'journaled', 'journaled', 'leg of combined-BTC_USD-20261128T190000-entry-0-84665899e82a125a', 0.00110612, 'OIZRAX-M2VAP-3HK3GS', 11, 'e66c10483490e320c464fffd65830bd48a8b479db1d1410312b91f22b45d553a');
INSERT INTO public.order_events VALUES (6, 'OIZRAX-M2VAP-3HK3GS', 'adopted', '2026-11-28 19:00:01+00', 'working', 'working', 'adopted', NULL, NULL, 12, '328c123a982ad753518e55f9585fa14d8f9c3714a83e2a9f9e9eec8bc13b23a8');
INSERT INTO public.order_events VALUES (7, 'OIZRAX-M2VAP-3HK3GS', 'open:0E-8', '2026-11-28 19:00:00+00', 'working', 'working', '', NULL, NULL, 13, '8719ef12e6249dbd40f4ea866701494e1ee27f8b53a84b68fc4cad0b97c78ccf');
INSERT INTO public.order_events VALUES (8, 'OIZRAX-M2VAP-3HK3GS', 'canceled:0E-8', '2026-11-28 19:00:03+00', 'cancelled', 'cancelled', '', NULL, NULL, 17, '03801e0eba253a80cf69f1858be87e92eab869698ada3878775448a36d73aed2');
INSERT INTO public.order_events VALUES (9, 'combined-BTC_USD-20261128T190004-target-0-d00f082ceea717d0', 'journaled', '2026-11-28 19:00:04+00', 'journaled', 'journaled', 'target reached', 0.00110612, NULL, 19, 'e592d78d421aeba8fb2832fd8be3135865494bf3a1b0a64d7c797d657783e0a3');
INSERT INTO public.order_events VALUES (10, 'combined-BTC_USD-20261128T190004-target-0-d00f082ceea717d0', 'sent', '2026-11-28 19:00:04+00', 'sent', 'sent', '', NULL, 'OSOTMS-JGFTV-PCY452', 20, 'd335fc42c0ec5b01650bf33209f33859c0682ac7b2c5f6827ff189930b43561f');
INSERT INTO public.order_events VALUES (11, 'combined-BTC_USD-20261128T190004-target-0-d00f082ceea717d0', 'open:0', '2026-11-28 19:00:04+00', 'working', 'working', '', NULL, NULL, 21, 'bfb3c34904496c97665d38a08e7c0d1cdcad99cb06b494c770893a4b3b4a6a11');
INSERT INTO public.order_events VALUES (12, 'combined-BTC_USD-20261128T190004-target-0-d00f082ceea717d0', 'closed:0.00110612', '2026-11-28 19:00:04+00', 'filled', 'filled', '', NULL, NULL, 24, '04bd0c695358534e9eb73b615cf0e51ff0eaf44dd2ef9dffb5c7210bba612ac2');
INSERT INTO public.order_events VALUES (13, 'combined-BTC_USD-20261128T190008-entry-0-085a3f356f81ced9', 'journaled', '2026-11-28 19:00:08+00', 'journaled', 'journaled', '0.00105263 became 0.00104791 at the quote 95000.1000; test', 0.00104791, NULL, 30, '1b2ec3752874fdeabe2fe50ce53506d58c6bd7ebd6ea10aafbe317df6366b9fe');
INSERT INTO public.order_events VALUES (14, 'combined-BTC_USD-20261128T190008-entry-0-085a3f356f81ced9', 'sent', '2026-11-28 19:00:08+00', 'sent', 'sent', '', NULL, 'OZCTPU-3HXDH-ZK2DEW', 31, '75f0dc218bb4658df9003e17d1bf43b0c5fad83291a1bf72b26a77e10e651978');
INSERT INTO public.order_events VALUES (15, 'combined-BTC_USD-20261128T190008-entry-0-085a3f356f81ced9', 'open:0', '2026-11-28 19:00:08+00', 'working', 'working', '', NULL, NULL, 32, '6194b90ee6b07783713ab4836a67fa91417117969cad6a1689515c731b9ace77');
INSERT INTO public.order_events VALUES (16, 'combined-BTC_USD-20261128T190008-entry-0-085a3f356f81ced9', 'closed:0.00104791', '2026-11-28 19:00:08+00', 'filled', 'filled', '', NULL, NULL, 34, 'f1f453ec2b7f9c0b89c3988dee61ad241bd9b15a5269a24d05cac9adbffc454e');
INSERT INTO public.order_events VALUES (17, 'ODGZ5A-NDIHU-LFQBD7', 'journaled', '2026-11-28 19:00:09+00', 'journaled', 'journaled', 'leg of combined-BTC_USD-20261128T190008-entry-0-085a3f356f81ced9', 0.00104791, 'ODGZ5A-NDIHU-LFQBD7', 36, '85fa1a255cd838dd8029ea0b62f3f521480937eadf528eb0b6f450fd4b5a983c');
INSERT INTO public.order_events VALUES (18, 'ODGZ5A-NDIHU-LFQBD7', 'adopted', '2026-11-28 19:00:09+00', 'working', 'working', 'adopted', NULL, NULL, 37, 'edeea885d3c6ec5fb9be40beca66465f8c59fca6334803a1728f53b440fd9c58');
INSERT INTO public.order_events VALUES (19, 'ODGZ5A-NDIHU-LFQBD7', 'open:0E-8', '2026-11-28 19:00:08+00', 'working', 'working', '', NULL, NULL, 38, 'd368f377413c22b1c53837a735b96316d33214f79b623d16090845bc2e0f121f');
INSERT INTO public.order_events VALUES (20, 'ODGZ5A-NDIHU-LFQBD7', 'closed:0.00104791', '2026-11-28 19:00:11+00', 'filled', 'filled', '', NULL, NULL, 42, '2e08fcf355b70fab7f21a54cc5461b36d05345ae3b29d3394b8bfcfd63ed064c');
INSERT INTO public.order_events VALUES (21, 'combined-ETH_USD-20261128T190014-entry-0-90af3c6c2d9afce5', 'journaled', '2026-11-28 19:00:14+00', 'journaled', 'journaled', '0.0666664 became 0.0663674 at the quote 3000.0100; test', 0.06636743, NULL, 48, 'f834315e587d055e241899fdc6cd81004e559e84519f2706bb2534a9f9f0186f');
INSERT INTO public.order_events VALUES (22, 'combined-ETH_USD-20261128T190014-entry-0-90af3c6c2d9afce5', 'sent', '2026-11-28 19:00:14+00', 'sent', 'sent', '', NULL, 'OLJL6U-TWMNU-AGKHUM', 49, '4471fa9f7f83ba76597d1840ce5a357485e57e58ff056a447b372ce7819b2432');
INSERT INTO public.order_events VALUES (23, 'combined-ETH_USD-20261128T190014-entry-0-90af3c6c2d9afce5', 'open:0', '2026-11-28 19:00:14+00', 'working', 'working', '', NULL, NULL, 50, '5c85f61f902b99a9d9c8a33627eccfb8cccde79ae583a54b67335722a31f99e1');
INSERT INTO public.order_events VALUES (24, 'combined-ETH_USD-20261128T190014-entry-0-90af3c6c2d9afce5', 'closed:0.06636743', '2026-11-28 19:00:14+00', 'filled', 'filled', '', NULL, NULL, 52, '17737806432e1262d32fd5578e54b04032e0fad48f907344ab5dd88551d5e8cf');
INSERT INTO public.order_events VALUES (25, 'OPJOZ4-ZG7UC-X7MVKG', 'journaled', '2026-11-28 19:00:15+00', 'journaled', 'journaled', 'leg of combined-ETH_USD-20261128T190014-entry-0-90af3c6c2d9afce5', 0.06636743, 'OPJOZ4-ZG7UC-X7MVKG', 54, '0aea844026652e02e34ae072bcaaeeb62cf68f3a3704cd114d25d02a3af4e6d6');
INSERT INTO public.order_events VALUES (26, 'OPJOZ4-ZG7UC-X7MVKG', 'adopted', '2026-11-28 19:00:15+00', 'working', 'working', 'adopted', NULL, NULL, 55, '379ca8e2e73c3d7a463664bd0897528dfa8bda649a47eea7af6d7f534fe5faef');
INSERT INTO public.order_events VALUES (27, 'OPJOZ4-ZG7UC-X7MVKG', 'open:0E-8', '2026-11-28 19:00:14+00', 'working', 'working', '', NULL, NULL, 56, 'cc45794c060ac77f99302c3428843c19fd5a4e74c70d8742e4127f1c487f5a58');
INSERT INTO public.orders VALUES ('combined-BTC_USD-20261128T190000-entry-0-84665899e82a125a', 1, NULL, 'O3YNIQ-MZJPS-5QJYTI', 'combined', 'BTC/USD', 'buy', 0.00110612, 'limit', 'entry', 90045.2, NULL, 88200.1, 93600.1, '2026-11-28 19:00:00+00', 0, '0.00111111 became 0.00110612 at the quote 90000.1000; test', 'filled', 0.00110612, 99.55090999999999980904, false, '2026-11-28 19:00:00+00', 4, 'c2aea08c1e474cf1165afe18d3d27b0e55b95b19f9e6aace9d13913775bccb45');
INSERT INTO public.orders VALUES ('OIZRAX-M2VAP-3HK3GS', 1, 'combined-BTC_USD-20261128T190000-entry-0-84665899e82a125a', 'OIZRAX-M2VAP-3HK3GS', 'combined', 'BTC/USD', 'sell', 0.00110612, 'stop', 'stop', NULL, 88200.1, NULL, NULL, '2026-11-28 19:00:00+00', 0, 'leg of combined-BTC_USD-20261128T190000-entry-0-84665899e82a125a', 'cancelled', 0, 0, false, '2026-11-28 19:00:01+00', 10, '269b4f9f74f638bcfe48a25be08f4eff3c04c3fa78d78d4e081ab2244b4baa09');
INSERT INTO public.orders VALUES ('combined-BTC_USD-20261128T190004-target-0-d00f082ceea717d0', 1, 'combined-BTC_USD-20261128T190000-entry-0-84665899e82a125a', 'OSOTMS-JGFTV-PCY452', 'combined', 'BTC/USD', 'sell', 0.00110612, 'limit', 'target', 93600.1, NULL, NULL, NULL, '2026-11-28 19:00:04+00', 0, 'target reached', 'filled', 0.00110612, 105.08129000000000019096, false, '2026-11-28 19:00:04+00', 18, '06a797315d76aa17982cc8c7654b64ace2b1c44bcce87da0502b70c107ef4dbc');
INSERT INTO public.orders VALUES ('combined-BTC_USD-20261128T190008-entry-0-085a3f356f81ced9', 1, NULL, 'OZCTPU-3HXDH-ZK2DEW', 'combined', 'BTC/USD', 'buy', 0.00104791, 'limit', 'entry', 95047.7, NULL, 93100.1, 98800.1, '2026-11-28 19:00:08+00', 0, '0.00105263 became 0.00104791 at the quote 95000.1000; test', 'filled', 0.00104791, 99.55155000000000045635, false, '2026-11-28 19:00:08+00', 29, 'b6e648e10c12b5ad11910d9ed337c965ebd0e5689ea9b6003651386daa06e513');
INSERT INTO public.orders VALUES ('ODGZ5A-NDIHU-LFQBD7', 1, 'combined-BTC_USD-20261128T190008-entry-0-085a3f356f81ced9', 'ODGZ5A-NDIHU-LFQBD7', 'combined', 'BTC/USD', 'sell', 0.00104791, 'stop', 'stop', NULL, 93100.1, NULL, NULL, '2026-11-28 19:00:08+00', 0, 'leg of combined-BTC_USD-20261128T190008-entry-0-085a3f356f81ced9', 'filled', 0.00104791, 89.07224999999999954365, false, '2026-11-28 19:00:09+00', 35, '7a87674c1739246d26f0cf2cc4a5090a6cdf8079a991ec97cd84fb5215a4a0f1');
INSERT INTO public.orders VALUES ('combined-ETH_USD-20261128T190014-entry-0-90af3c6c2d9afce5', 1, NULL, 'OLJL6U-TWMNU-AGKHUM', 'combined', 'ETH/USD', 'buy', 0.06636743, 'limit', 'entry', 3001.52, NULL, 2940.01, 3120.01, '2026-11-28 19:00:14+00', 0, '0.0666664 became 0.0663674 at the quote 3000.0100; test', 'filled', 0.06636743, 199.10294999999997291000, false, '2026-11-28 19:00:14+00', 47, '3d6aeffc3f3db760f89064269763dab8c35b34c11b2fe8630c502d444d7031f4');
INSERT INTO public.orders VALUES ('OPJOZ4-ZG7UC-X7MVKG', 1, 'combined-ETH_USD-20261128T190014-entry-0-90af3c6c2d9afce5', 'OPJOZ4-ZG7UC-X7MVKG', 'combined', 'ETH/USD', 'sell', 0.06636743, 'stop', 'stop', NULL, 2940.01, NULL, NULL, '2026-11-28 19:00:14+00', 0, 'leg of combined-ETH_USD-20261128T190014-entry-0-90af3c6c2d9afce5', 'working', 0, 0, false, '2026-11-28 19:00:15+00', 53, '34aa00d288c3ad8078581a8d746d50390936d22e10198d54c6c18a212f921bf8');
INSERT INTO public.runs VALUES (1, '2026-11-28 19:00:00+00', 'rehearse', 'combined', 'test', 'hash', 1, 'c1ffe99982c5281db5b387f0af714b00638376fca3e6799baab32bad861b9edd');
INSERT INTO public.sessions VALUES ('2026-11-28', '2026-11-28 19:00:00+00', 1000.0000, 2, '1206fd26c14a86f818c30eb4daa48910d5e3892f031aa900548e253aef35b608');
INSERT INTO public.trades VALUES ('combined-BTC_USD-20261128T190000-entry-0-84665899e82a125a', 'combined-BTC_USD-20261128T190004-target-0-d00f082ceea717d0', 'BTC/USD', 'buy', 0.00110612, '2026-11-28 19:00:00+00', 90000.09944671464, '2026-11-28 19:00:04+00', 94999.90055328536, 88200.1, 93600.1, NULL, NULL, 5.5304, 2.7776681352299235, 'target', '', NULL);
INSERT INTO public.trades VALUES ('combined-BTC_USD-20261128T190008-entry-0-085a3f356f81ced9', 'ODGZ5A-NDIHU-LFQBD7', 'BTC/USD', 'buy', 0.00104791, '2026-11-28 19:00:08+00', 95000.09542804249, '2026-11-28 19:00:11+00', 84999.90457195751, 93100.1, 98800.1, NULL, NULL, -10.4793, -5.263271010282329, 'stop', '', NULL);
SELECT pg_catalog.setval('public.decisions_id_seq', 1, false);
SELECT pg_catalog.setval('public.order_events_id_seq', 27, true);
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
