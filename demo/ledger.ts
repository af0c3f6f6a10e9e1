import { table } from './output.ts';
import type { Place } from './place.ts';

interface JobRow {
  readonly id: string;
  readonly status: string;
  readonly completed_batches: number;
  readonly written_records: number;
  readonly unchanged_records: number;
  readonly skipped_records: number;
  readonly failed_records: number;
  readonly points_written: number;
  readonly inputs: number;
}

interface BatchRow {
  readonly batch_number: number;
  readonly status: string;
  readonly start_id: string;
  readonly end_id: string;
  readonly processed_count: number;
  readonly points_written: number;
  readonly retry_count: number;
  readonly worker_id: string | null;
}

/** The rows of `ingestion_job`, oldest first. */
export async function jobTable(place: Place): Promise<string> {
  const columns =
    'id,status,completed_batches,written_records,unchanged_records,skipped_records,failed_records,points_written,inputs';
  const jobs = await rows<JobRow>(place, `ingestion_job?select=${columns}&order=started_at`);
  return table(
    ['id', 'status', 'batches', 'written', 'unchanged', 'empty', 'failed', 'points', 'inputs'],
    jobs.map((job) => [
      job.id,
      job.status,
      job.completed_batches,
      job.written_records,
      job.unchanged_records,
      job.skipped_records,
      job.failed_records,
      job.points_written,
      job.inputs,
    ]),
  );
}

/** Rows of `ingestion_batch`: of the batches that took more than one attempt, and the last ones. */
export async function batchTable(place: Place, jobId: string, limit: number): Promise<string> {
  // Ids as text: JSON.parse rounds integers above 2^53.
  const columns =
    'batch_number,status,start_id::text,end_id::text,processed_count,points_written,retry_count,worker_id';
  const order = 'order=retry_count.desc,batch_number.desc';
  const path = `ingestion_batch?select=${columns}&job_id=eq.${jobId}&${order}&limit=${limit}`;
  const batches = await rows<BatchRow>(place, path);
  return table(
    ['batch', 'status', 'first id', 'last id', 'records', 'points', 'retries', 'worker'],
    batches.map((batch) => [
      batch.batch_number,
      batch.status,
      batch.start_id,
      batch.end_id,
      batch.processed_count,
      batch.points_written,
      batch.retry_count,
      batch.worker_id ?? '',
    ]),
  );
}

async function rows<Row>({ env }: Place, path: string): Promise<Row[]> {
  const { SUPABASE_URL = '', SUPABASE_KEY = '' } = env;
  const response = await fetch(`${SUPABASE_URL}/rest/v1/${path}`, {
    headers: { apikey: SUPABASE_KEY, authorization: `Bearer ${SUPABASE_KEY}` },
  });
  if (!response.ok) throw new Error(`PostgREST answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Row[];
}
