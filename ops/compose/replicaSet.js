// Run by mongosh as the health check of the MongoDB: makes the replica set of one, and exits with 0 once its member is primary.
const NOT_YET_INITIALIZED = 94;
const HOST = 'mongodb-insecure:27017';

try {
  rs.status();
} catch (error) {
  if (error.code !== NOT_YET_INITIALIZED) throw error;
  rs.initiate({ _id: 'rs0', members: [{ _id: 0, host: HOST }] });
}
quit(db.hello().isWritablePrimary ? 0 : 1);
