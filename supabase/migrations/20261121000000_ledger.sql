-- The ledger of Vector Ferry: a mirror of jobs for people and dashboards. Nothing depends on it; the target itself says
-- what is done. Only the service role may read or write it.

create table public.ingestion_job (
  id uuid primary key default gen_random_uuid(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  name text not null,
  source text not null,
  collection text,
  status text not null
    check (status in ('pending', 'running', 'paused', 'completed', 'failed', 'cancelled')),
  reason text,
  sequence bigint not null default -1,
  started_at timestamptz not null,
  ended_at timestamptz,
  partitions integer not null default 0,
  total_batches integer not null default 0,
  completed_batches integer not null default 0,
  failed_batches integer not null default 0,
  cancelled_batches integer not null default 0,
  total_records bigint not null default 0,
  processed_records bigint not null default 0,
  failed_records bigint not null default 0,
  written_records bigint not null default 0,
  unchanged_records bigint not null default 0,
  skipped_records bigint not null default 0,
  orphans bigint not null default 0,
  points_written bigint not null default 0,
  points_deleted bigint not null default 0,
  inputs bigint not null default 0,
  tokens bigint not null default 0,
  cost numeric,
  metadata jsonb default '{}'::jsonb
);

create index idx_ingestion_job_status on public.ingestion_job (status);
create index idx_ingestion_job_started_at on public.ingestion_job (started_at desc);
create index idx_ingestion_job_name on public.ingestion_job (name, started_at desc);

create table public.ingestion_batch (
  id uuid primary key default gen_random_uuid(),
  job_id uuid not null references public.ingestion_job (id) on delete cascade,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  status text not null
    check (status in ('pending', 'processing', 'completed', 'failed', 'cancelled')),
  batch_number integer not null,
  sequence bigint not null,
  start_id bigint,
  end_id bigint,
  record_ids bigint[],
  processed_count integer not null default 0,
  failed_count integer not null default 0,
  written_count integer not null default 0,
  unchanged_count integer not null default 0,
  skipped_count integer not null default 0,
  orphans integer not null default 0,
  points_written integer not null default 0,
  points_deleted integer not null default 0,
  inputs integer not null default 0,
  tokens bigint not null default 0,
  error_message text,
  retry_count integer not null default 0,
  worker_id text,
  claimed_at timestamptz,
  ended_at timestamptz,
  unique (job_id, batch_number)
);

create index idx_ingestion_batch_job_id on public.ingestion_batch (job_id);
create index idx_ingestion_batch_status on public.ingestion_batch (status);
create index idx_ingestion_batch_claim on public.ingestion_batch (job_id, status) where status = 'pending';

create table public.ingestion_failure (
  job_id uuid not null references public.ingestion_job (id) on delete cascade,
  record_id bigint not null,
  batch_number integer not null,
  code text not null,
  stage text not null,
  message text not null,
  first_seen timestamptz not null,
  last_seen timestamptz not null,
  primary key (job_id, record_id),
  foreign key (job_id, batch_number)
    references public.ingestion_batch (job_id, batch_number) on delete cascade
);

create index idx_ingestion_failure_batch on public.ingestion_failure (job_id, batch_number);

-- What the tables mean -------------------------------------------------------------------------------------------------

comment on table public.ingestion_job is 'One run of a job. Counters are sums over its batches.';
comment on column public.ingestion_job.id is 'First execution run id of the Temporal workflow; payload job_id of the points it wrote.';
comment on column public.ingestion_job.name is 'Name of the job; its workflow id is migration-<name>.';
comment on column public.ingestion_job.source is 'Payload source of its points: <SOURCE_LABEL>/<table>.';
comment on column public.ingestion_job.collection is 'Concrete Qdrant collection that it writes to; null until it is known.';
comment on column public.ingestion_job.reason is 'Why it is paused: requested, or the code of a fault (docs/errors.md).';
comment on column public.ingestion_job.sequence is 'Number of the last change of status applied; lower ones are ignored.';
comment on column public.ingestion_job.partitions is 'Partitions of the plan; 0 until it is planned, as with total_batches and total_records.';
comment on column public.ingestion_job.processed_records is 'Records that need nothing more: written, unchanged or skipped.';
comment on column public.ingestion_job.failed_records is 'Records listed in ingestion_failure.';
comment on column public.ingestion_job.written_records is 'Records whose points were written.';
comment on column public.ingestion_job.unchanged_records is 'Records whose points were right already.';
comment on column public.ingestion_job.skipped_records is 'Records without content.';
comment on column public.ingestion_job.orphans is 'Record ids with points but without a row in the source.';
comment on column public.ingestion_job.inputs is 'Texts that were embedded.';
comment on column public.ingestion_job.tokens is 'Tokens that the embedding service counted.';
comment on column public.ingestion_job.cost is 'Price of the tokens, or null if no price is known.';
comment on column public.ingestion_job.metadata is 'Free for users of the ledger; never written by the product.';

comment on table public.ingestion_batch is 'One batch of a job: a contiguous range of record ids. It appears when it begins.';
comment on column public.ingestion_batch.batch_number is 'Number within the job, from 0.';
comment on column public.ingestion_batch.sequence is 'Number of the last report applied; lower ones are ignored.';
comment on column public.ingestion_batch.start_id is 'First record id read; null while it is read and in an empty batch.';
comment on column public.ingestion_batch.end_id is 'Last record id read; null while it is read and in an empty batch.';
comment on column public.ingestion_batch.record_ids is 'Record ids of the range when the batch had ended, for reference only.';
comment on column public.ingestion_batch.processed_count is 'Records read less those that failed.';
comment on column public.ingestion_batch.retry_count is 'Attempts after the first.';
comment on column public.ingestion_batch.worker_id is 'Identity of the worker that ended it.';
comment on column public.ingestion_batch.claimed_at is 'When it began.';

comment on table public.ingestion_failure is 'Records that failed; their old points, if any, are still in the target.';
comment on column public.ingestion_failure.code is 'Stable code of the fault (docs/errors.md).';
comment on column public.ingestion_failure.stage is 'Where it failed: read, chunk, embed, write.';
comment on column public.ingestion_failure.message is 'What the code means; never the content of a row.';

-- updated_at -----------------------------------------------------------------------------------------------------------

create function public.ferry_touch_updated_at() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.updated_at := now();
  return new;
end;
$$;

create trigger ingestion_job_updated_at before update on public.ingestion_job
  for each row execute function public.ferry_touch_updated_at();
create trigger ingestion_batch_updated_at before update on public.ingestion_batch
  for each row execute function public.ferry_touch_updated_at();

-- The one way in -------------------------------------------------------------------------------------------------------

-- `change` is {job: {id, name, source, collection, started_at},
--              state: {sequence, status, reason, ended_at, plan: {partitions, batches, records} | null} | null,
--              batches: [{columns of ingestion_batch, failures: [[record_id, code]]}],
--              faults: {code: {stage, message}}}.
-- Record ids are decimal strings: JSON numbers above 2^53 are not safe on the way.
create function public.ferry_apply_ledger(change jsonb) returns void
language plpgsql
set search_path = ''
as $$
declare
  header constant jsonb := change -> 'job';
  state constant jsonb := nullif(change -> 'state', 'null'::jsonb);
  target constant uuid := (change -> 'job' ->> 'id')::uuid;
  known public.ingestion_job;
  fresh jsonb;
  numbers integer[];
begin
  insert into public.ingestion_job (id, name, source, collection, status, started_at)
  values (
    target, header ->> 'name', header ->> 'source', header ->> 'collection', 'running',
    (header ->> 'started_at')::timestamptz
  )
  on conflict (id) do nothing;

  -- Every caller takes this lock first and no other row before it: callers queue up, none can deadlock, and the
  -- statements below see all that earlier callers wrote.
  select * into strict known from public.ingestion_job where id = target for update;

  if known.collection is null and header ->> 'collection' is not null then
    update public.ingestion_job set collection = header ->> 'collection' where id = target;
  end if;

  if (state ->> 'sequence')::bigint > known.sequence then
    update public.ingestion_job
    set sequence = (state ->> 'sequence')::bigint,
        status = state ->> 'status',
        reason = state ->> 'reason',
        ended_at = (state ->> 'ended_at')::timestamptz,
        partitions = coalesce((state -> 'plan' ->> 'partitions')::integer, partitions),
        total_batches = coalesce((state -> 'plan' ->> 'batches')::integer, total_batches),
        total_records = coalesce((state -> 'plan' ->> 'records')::bigint, total_records)
    where id = target;
  end if;

  -- Reports that are newer than what the ledger has.
  select jsonb_agg(latest.report order by latest.batch_number), array_agg(latest.batch_number)
  into fresh, numbers
  from (
    select distinct on (1) (report ->> 'batch_number')::integer as batch_number,
      (report ->> 'sequence')::bigint as sequence, report
    from jsonb_array_elements(change -> 'batches') as report
    order by 1, 2 desc
  ) as latest
  where not exists (
    select from public.ingestion_batch as batch
    where batch.job_id = target and batch.batch_number = latest.batch_number and batch.sequence >= latest.sequence
  );
  if fresh is null then
    return;
  end if;

  -- The job's counters move by what each batch adds now less what it had added before, so they never need a recount.
  with old as (
    select * from public.ingestion_batch where job_id = target and batch_number = any (numbers)
  ),
  new as (
    insert into public.ingestion_batch as batch (
      job_id, batch_number, sequence, status, start_id, end_id, record_ids, processed_count, failed_count,
      written_count, unchanged_count, skipped_count, orphans, points_written, points_deleted, inputs, tokens,
      error_message, retry_count, worker_id, claimed_at, ended_at
    )
    select
      target, batch_number, sequence, status, start_id, end_id, record_ids, processed_count, failed_count,
      written_count, unchanged_count, skipped_count, orphans, points_written, points_deleted, inputs, tokens,
      error_message, retry_count, worker_id, claimed_at, ended_at
    from jsonb_populate_recordset(null::public.ingestion_batch, fresh)
    order by batch_number
    on conflict (job_id, batch_number) do update set
      sequence = excluded.sequence,
      status = excluded.status,
      start_id = excluded.start_id,
      end_id = excluded.end_id,
      record_ids = excluded.record_ids,
      processed_count = excluded.processed_count,
      failed_count = excluded.failed_count,
      written_count = excluded.written_count,
      unchanged_count = excluded.unchanged_count,
      skipped_count = excluded.skipped_count,
      orphans = excluded.orphans,
      points_written = excluded.points_written,
      points_deleted = excluded.points_deleted,
      inputs = excluded.inputs,
      tokens = excluded.tokens,
      error_message = excluded.error_message,
      retry_count = excluded.retry_count,
      worker_id = excluded.worker_id,
      claimed_at = excluded.claimed_at,
      ended_at = excluded.ended_at
    returning batch.*
  ),
  moved as (
    select 1 as sign, new.* from new
    union all
    select -1, old.* from old
  ),
  delta as (
    select
      coalesce(sum(sign) filter (where status = 'completed'), 0) as completed_batches,
      coalesce(sum(sign) filter (where status = 'failed'), 0) as failed_batches,
      coalesce(sum(sign) filter (where status = 'cancelled'), 0) as cancelled_batches,
      sum(sign * processed_count) as processed_records,
      sum(sign * failed_count) as failed_records,
      sum(sign * written_count) as written_records,
      sum(sign * unchanged_count) as unchanged_records,
      sum(sign * skipped_count) as skipped_records,
      sum(sign * orphans) as orphans,
      sum(sign * points_written) as points_written,
      sum(sign * points_deleted) as points_deleted,
      sum(sign * inputs) as inputs,
      sum(sign * tokens) as tokens
    from moved
  )
  update public.ingestion_job as job
  set completed_batches = job.completed_batches + delta.completed_batches,
      failed_batches = job.failed_batches + delta.failed_batches,
      cancelled_batches = job.cancelled_batches + delta.cancelled_batches,
      processed_records = job.processed_records + delta.processed_records,
      failed_records = job.failed_records + delta.failed_records,
      written_records = job.written_records + delta.written_records,
      unchanged_records = job.unchanged_records + delta.unchanged_records,
      skipped_records = job.skipped_records + delta.skipped_records,
      orphans = job.orphans + delta.orphans,
      points_written = job.points_written + delta.points_written,
      points_deleted = job.points_deleted + delta.points_deleted,
      inputs = job.inputs + delta.inputs,
      tokens = job.tokens + delta.tokens
  from delta
  where job.id = target;

  -- A newer report on a batch replaces its failures; one that failed before keeps its first_seen.
  delete from public.ingestion_failure as failure
  where failure.job_id = target
    and failure.batch_number = any (numbers)
    and (failure.batch_number, failure.record_id) not in (
      select (report ->> 'batch_number')::integer, (pair ->> 0)::bigint
      from jsonb_array_elements(fresh) as report, jsonb_array_elements(report -> 'failures') as pair
    );

  insert into public.ingestion_failure (
    job_id, record_id, batch_number, code, stage, message, first_seen, last_seen
  )
  select distinct on (2)
    target, (pair ->> 0)::bigint, (report ->> 'batch_number')::integer, pair ->> 1,
    change #>> array['faults', pair ->> 1, 'stage'], change #>> array['faults', pair ->> 1, 'message'],
    (report ->> 'ended_at')::timestamptz, (report ->> 'ended_at')::timestamptz
  from jsonb_array_elements(fresh) as report, jsonb_array_elements(report -> 'failures') as pair
  order by 2, 3
  on conflict (job_id, record_id) do update set
    batch_number = excluded.batch_number,
    code = excluded.code,
    stage = excluded.stage,
    message = excluded.message,
    last_seen = excluded.last_seen;
end;
$$;

comment on function public.ferry_apply_ledger(jsonb) is
  'Applies one update of the mirror in one transaction; applying it again, or after a later one, changes nothing.';

-- Only the service role --------------------------------------------------------------------------------------------------

alter table public.ingestion_job enable row level security;
alter table public.ingestion_batch enable row level security;
alter table public.ingestion_failure enable row level security;

revoke all on table public.ingestion_job, public.ingestion_batch, public.ingestion_failure
  from public, anon, authenticated;
grant select, insert, update, delete on table public.ingestion_job, public.ingestion_batch, public.ingestion_failure
  to service_role;

revoke all on function public.ferry_apply_ledger(jsonb), public.ferry_touch_updated_at()
  from public, anon, authenticated;
grant execute on function public.ferry_apply_ledger(jsonb) to service_role;

-- Lets PostgREST see the function at once.
notify pgrst, 'reload schema';
