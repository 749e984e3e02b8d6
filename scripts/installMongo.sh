#!/usr/bin/env bash
# Sees to a MongoDB-compatible server for the tests: mongo-java-server with its H2 backend, from Maven, into .tools/mongo-java-server.
# Does nothing where a better one is there (GHOSTDOCK_TEST_MONGODB, or mongod on the PATH). As root on Debian or Ubuntu it installs
# Maven and a JDK where they are missing. Never fails a build: what cannot be had is named, and the tests say that they are skipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=1.47.0
home=.tools/mongo-java-server

if [[ -n ${GHOSTDOCK_TEST_MONGODB:-} ]]; then
  echo 'GHOSTDOCK_TEST_MONGODB names a MongoDB server: nothing to install.'
  exit 0
fi
if command -v mongod >/dev/null; then
  echo 'mongod is on the PATH: nothing to install.'
  exit 0
fi

without() {
  echo "No MongoDB server for the tests: $1"
  exit 0
}

log=$(mktemp)
fresh=
trap 'rm -rf "$log" "$fresh"' EXIT

install_packages() {
  ((EUID == 0)) && command -v apt-get >/dev/null || without 'mongo-java-server needs javac and mvn, which only root can install with apt-get.'
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq </dev/null >"$log" 2>&1 || true
  apt-get install -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 default-jdk-headless maven </dev/null >"$log" 2>&1 ||
    without "apt-get could not install a JDK and Maven: $(tail -1 "$log")"
  echo 'Installed a JDK and Maven.'
}

if [[ -e $home/lib/mongo-java-server-$version.jar ]]; then
  command -v java >/dev/null && command -v javac >/dev/null || install_packages
  echo "mongo-java-server $version is here."
  exit 0
fi
command -v java >/dev/null && command -v javac >/dev/null && command -v mvn >/dev/null || install_packages

mkdir -p "$home"
fresh=$(mktemp -d "$home/fresh.XXXXXX")
cat >"$fresh/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>ghostdock</groupId>
  <artifactId>test-mongo</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>de.bwaldvogel</groupId>
      <artifactId>mongo-java-server</artifactId>
      <version>$version</version>
    </dependency>
    <dependency>
      <groupId>de.bwaldvogel</groupId>
      <artifactId>mongo-java-server-h2-backend</artifactId>
      <version>$version</version>
    </dependency>
  </dependencies>
</project>
POM
timeout 300 mvn -q -B -f "$fresh/pom.xml" dependency:copy-dependencies -DoutputDirectory=lib </dev/null >"$log" 2>&1 ||
  without "Maven could not fetch mongo-java-server: $(grep -m1 ERROR "$log" || tail -1 "$log")"
# In one step, and whoever comes second gives way: several may be here at once.
mv -T "$fresh/lib" "$home/lib" 2>/dev/null || [[ -e $home/lib/mongo-java-server-$version.jar ]] || {
  rm -rf "$home/lib"
  mv -T "$fresh/lib" "$home/lib"
}
echo "Fetched mongo-java-server $version."
