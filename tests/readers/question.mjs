// Answers a question in SQL by DuckDB, as JSON: `node question.mjs "SELECT …"`. For tests that want Parquet files read by
// somebody else.
import { DuckDBInstance } from '@duckdb/node-api';

const instance = await DuckDBInstance.create(':memory:');
const connection = await instance.connect();
const reader = await connection.runAndReadAll(process.argv[2]);
console.log(JSON.stringify(reader.getRowObjectsJson()));
