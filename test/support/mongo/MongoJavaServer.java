import de.bwaldvogel.mongo.MongoBackend;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.AbstractMongoBackend;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Set;
import org.h2.mvstore.MVStore;

/**
 * mongo-java-server on an H2 file, made as faithful to MongoDB as the tests need it:
 *
 * - A write is in the file before it is answered, so that it survives SIGKILL. By itself the store commits about once a second.
 * - Texts are compared by their UTF-8 bytes, as MongoDB's simple collation does, and not by their UTF-16 units.
 * - A document is found by its `_id` also where the query has other fields: without that every guarded write reads the collection.
 * - The process ends with the one that started it: when its standard input does.
 *
 * Arguments: the port (0 for any), the file. Prints `ready <port>` once it listens.
 */
public final class MongoJavaServer {
  private static final Set<String> READS =
      Set.of("find", "getMore", "count", "hello", "ismaster", "isMaster", "ping", "listCollections", "listIndexes", "endSessions");

  public static void main(String[] arguments) throws Exception {
    compareTextsByBytes();
    findByIdAndMore();
    MVStore store = new MVStore.Builder().fileName(arguments[1]).autoCommitDisabled().open();
    // Nothing in the file is still being read by somebody else: what is free may be written over at once.
    store.setRetentionTime(0);
    store.setVersionsToKeep(0);
    MongoServer server = new MongoServer(committing(new H2Backend(store), store));
    server.bind(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])));
    System.out.println("ready " + server.getLocalAddress().getPort());
    while (System.in.read() >= 0) {}
    Runtime.getRuntime().halt(0);
  }

  private static MongoBackend committing(MongoBackend backend, MVStore store) {
    return (MongoBackend) Proxy.newProxyInstance(
        MongoBackend.class.getClassLoader(),
        new Class<?>[] {MongoBackend.class},
        (proxy, method, arguments) -> {
          try {
            Object answer = method.invoke(backend, arguments);
            if (arguments != null && arguments[0] instanceof MongoMessage message && isWrite(message)) store.commit();
            return answer;
          } catch (InvocationTargetException failure) {
            throw failure.getCause();
          }
        });
  }

  private static boolean isWrite(MongoMessage message) {
    return !READS.contains(message.getDocument().keySet().iterator().next());
  }

  /** What the server's comparison of two texts is replaced with. */
  public static int compareTexts(String left, String right) {
    return Arrays.compareUnsigned(left.getBytes(StandardCharsets.UTF_8), right.getBytes(StandardCharsets.UTF_8));
  }

  private static void compareTextsByBytes() throws Exception {
    redirect(
        "ValueComparator",
        new Call(0xb6, 10, "java/lang/String", "compareTo", "(Ljava/lang/String;)I"),
        new Call(0xb8, 10, "MongoJavaServer", "compareTexts", "(Ljava/lang/String;Ljava/lang/String;)I"));
  }

  /** An index is of use if its fields are among those of the query, and not only if they are all of them. */
  private static void findByIdAndMore() throws Exception {
    redirect(
        "AbstractUniqueIndex",
        new Call(0xb9, 11, "java/util/Set", "equals", "(Ljava/lang/Object;)Z"),
        new Call(0xb9, 11, "java/util/Set", "containsAll", "(Ljava/util/Collection;)Z"));
  }

  /** A call in a class file: its instruction, the kind of constant that names it, and what it calls. */
  private record Call(int instruction, int kind, String owner, String name, String type) {
    byte[] bytes(int constant) {
      return new byte[] {(byte) instruction, (byte) (constant >> 8), (byte) constant};
    }
  }

  /** Loads a class of the server with one call in it replaced by another that takes and leaves as much on the stack. */
  private static void redirect(String name, Call from, Call to) throws Exception {
    byte[] original;
    try (var in = AbstractMongoBackend.class.getResourceAsStream(name + ".class")) {
      original = in.readAllBytes();
    }
    MethodHandles.privateLookupIn(AbstractMongoBackend.class, MethodHandles.lookup()).defineClass(redirected(original, from, to));
  }

  /** The new call's constants come after the others; the class file is otherwise the same (JVM specification, 4). */
  private static byte[] redirected(byte[] original, Call from, Call to) throws IOException {
    Constants constants = Constants.of(original);
    int next = constants.count;
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    DataOutputStream data = new DataOutputStream(out);
    data.write(original, 0, 8);
    data.writeShort(next + 6);
    data.write(original, 10, constants.end - 10);
    utf8(data, to.owner);
    reference(data, 7, next);
    utf8(data, to.name);
    utf8(data, to.type);
    reference(data, 12, next + 2, next + 3);
    reference(data, to.kind, next + 1, next + 4);
    byte[] rest = Arrays.copyOfRange(original, constants.end, original.length);
    replace(rest, from.bytes(constants.find(from)), to.bytes(next + 5));
    data.write(rest);
    return out.toByteArray();
  }

  private static void replace(byte[] code, byte[] from, byte[] to) {
    for (int at = 0; at + from.length <= code.length; at++) {
      if (Arrays.equals(code, at, at + from.length, from, 0, from.length)) System.arraycopy(to, 0, code, at, to.length);
    }
  }

  private static void utf8(DataOutputStream data, String text) throws IOException {
    data.writeByte(1);
    data.writeUTF(text);
  }

  private static void reference(DataOutputStream data, int kind, int... constants) throws IOException {
    data.writeByte(kind);
    for (int constant : constants) data.writeShort(constant);
  }

  /** The constant pool of a class file (JVM specification, 4.4), as far as it is needed to find a call. */
  private static final class Constants {
    final int count;
    final int end;
    private final Object[] entries;

    private Constants(Object[] entries, int end) {
      this.count = entries.length;
      this.entries = entries;
      this.end = end;
    }

    static Constants of(byte[] file) throws IOException {
      var bytes = new java.io.ByteArrayInputStream(file);
      DataInputStream in = new DataInputStream(bytes);
      in.skipBytes(8);
      Object[] entries = new Object[in.readUnsignedShort()];
      for (int n = 1; n < entries.length; n++) {
        int tag = in.readUnsignedByte();
        switch (tag) {
          case 1 -> entries[n] = in.readUTF();
          case 7, 8, 16, 19, 20 -> entries[n] = new int[] {tag, in.readUnsignedShort()};
          case 9, 10, 11, 12, 17, 18 -> entries[n] = new int[] {tag, in.readUnsignedShort(), in.readUnsignedShort()};
          case 15 -> in.skipBytes(3);
          case 3, 4 -> in.skipBytes(4);
          case 5, 6 -> {
            in.skipBytes(8);
            n++;
          }
          default -> throw new IllegalStateException("constant of kind " + tag);
        }
      }
      return new Constants(entries, file.length - bytes.available());
    }

    int find(Call call) {
      for (int n = 1; n < count; n++) {
        if (!(entries[n] instanceof int[] reference) || reference[0] != call.kind) continue;
        int[] nameAndType = (int[]) entries[reference[2]];
        if (call.owner.equals(entries[((int[]) entries[reference[1]])[1]])
            && call.name.equals(entries[nameAndType[1]])
            && call.type.equals(entries[nameAndType[2]])) return n;
      }
      throw new IllegalStateException("this version of the server has no call of " + call.owner + "." + call.name);
    }
  }
}
