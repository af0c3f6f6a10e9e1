-- Schema 2 of the ledger: what a job cost, and a way to ask which schema a project has.

alter table public.ingestion_job add column usd_per_million_tokens numeric;

comment on column public.ingestion_job.usd_per_million_tokens is
  'Price that the worker which wrote the row first knew for a million tokens, in US dollars; null if none was known.';
comment on column public.ingestion_job.cost is
  'Price of the tokens so far, in US dollars; null if no price is known.';

-- What applied an update so far goes on doing so, under another name; the way in adds the cost.
alter function public.ferry_apply_ledger(jsonb) rename to ferry_apply_reports;

comment on function public.ferry_apply_reports(jsonb) is 'Part of ferry_apply_ledger: everything but the cost.';

-- `change` is that of ferry_apply_reports; its `job` may have `usd_per_million_tokens` too, a number or null.
create function public.ferry_apply_ledger(change jsonb) returns void
language plpgsql
set search_path = ''
as $$
declare
  target constant uuid := (change -> 'job' ->> 'id')::uuid;
  price constant numeric := (change -> 'job' ->> 'usd_per_million_tokens')::numeric;
begin
  -- It locks the job's row first, so what follows sees all that earlier callers wrote.
  perform public.ferry_apply_reports(change);

  -- The price that was known first stays: workers may have different settings, and a cost should not jump. Nothing is
  -- written where nothing differs, so a repeated update leaves updated_at as it is too.
  update public.ingestion_job as job
  set usd_per_million_tokens = coalesce(job.usd_per_million_tokens, price),
      cost = job.tokens * coalesce(job.usd_per_million_tokens, price) * 0.000001
  where job.id = target
    and coalesce(job.usd_per_million_tokens, price) is not null
    and (
      job.usd_per_million_tokens is null
      or job.cost is distinct from job.tokens * job.usd_per_million_tokens * 0.000001
    );
end;
$$;

comment on function public.ferry_apply_ledger(jsonb) is
  'Applies one update of the mirror in one transaction; applying it again, or after a later one, changes nothing.';

-- Asked before a job starts, and without effect: the number of this schema, or null for a role that may not do
-- everything that the mirror does. A later migration replaces it.
create function public.ferry_ledger_version() returns integer
language sql
stable
set search_path = ''
as $$
  select 2
  where has_function_privilege('public.ferry_apply_ledger(jsonb)', 'execute')
    and has_function_privilege('public.ferry_apply_reports(jsonb)', 'execute')
    and (
      select bool_and(has_table_privilege(name, privilege) and not row_security_active(name))
      from unnest(array['public.ingestion_job', 'public.ingestion_batch', 'public.ingestion_failure']) as name,
        unnest(array['select', 'insert', 'update', 'delete']) as privilege
    );
$$;

comment on function public.ferry_ledger_version() is
  'Number of the ledger''s schema; null for a role that may not write it.';

revoke all on function public.ferry_apply_ledger(jsonb), public.ferry_ledger_version()
  from public, anon, authenticated;
grant execute on function public.ferry_apply_ledger(jsonb), public.ferry_ledger_version() to service_role;

-- Lets PostgREST see the functions at once.
notify pgrst, 'reload schema';
