import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigsOptions;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Kafka's Java clients driven from standard input, so that a test in another language decides the steps.
 *
 * <p>A request is a line of tab-separated fields: call id, object, verb, arguments. Bytes are hexadecimal, null is "-".
 * An answer is a line of JSON with the call's id; answers come as calls end, in any order. Every object (a producer, a
 * consumer, an admin client) has a thread of its own that runs its calls in order. The file compiles against
 * kafka-clients 2.8 and 4.3 alike and uses nothing but them.
 */
public final class ScenarioClient {
    private static final HexFormat HEX = HexFormat.of();
    private static PrintStream answers;

    /** One client object of the test; a call gets the verb and its arguments and returns JSON. */
    interface Driven {
        String call(String verb, List<String> args) throws Exception;
    }

    private record Seat(ExecutorService thread, Driven driven) {}

    public static void main(String[] arguments) throws Exception {
        answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.setOut(System.err);
        Map<String, Seat> seats = new ConcurrentHashMap<>();
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] fields = line.split("\t", -1);
            String id = fields[0];
            String object = fields[1];
            String verb = fields[2];
            List<String> args = Arrays.asList(fields).subList(3, fields.length);
            if (verb.equals("open")) {
                ExecutorService thread = Executors.newSingleThreadExecutor();
                thread.execute(() -> answer(id, () -> {
                    seats.put(object, new Seat(thread, open(args.get(0), settings(args.subList(1, args.size())))));
                    return "null";
                }));
                continue;
            }
            Seat seat = seats.get(object);
            if (seat == null) {
                answer(id, () -> {
                    throw new IllegalArgumentException("no object " + object);
                });
                continue;
            }
            seat.thread.execute(() -> {
                if (id.isEmpty()) {
                    unanswered(seat.driven, verb, args);
                } else {
                    answer(id, () -> seat.driven.call(verb, args));
                }
            });
            if (verb.equals("close")) {
                seats.remove(object);
                seat.thread.shutdown();
            }
        }
        // The test is gone: so are we, whatever still runs.
        Runtime.getRuntime().halt(0);
    }

    private interface Call {
        String run() throws Exception;
    }

    private static void answer(String id, Call call) {
        String line;
        try {
            line = "{\"id\":" + id + ",\"result\":" + call.run() + "}";
        } catch (Throwable failure) {
            Throwable cause = failure instanceof ExecutionException ? failure.getCause() : failure;
            line = "{\"id\":" + id + ",\"error\":" + text(cause.getClass().getSimpleName())
                + ",\"message\":" + text(String.valueOf(cause.getMessage())) + "}";
        }
        synchronized (answers) {
            answers.println(line);
        }
    }

    private static void unanswered(Driven driven, String verb, List<String> args) {
        try {
            driven.call(verb, args);
        } catch (Exception failure) {
            failure.printStackTrace();
        }
    }

    private static Driven open(String kind, Properties settings) {
        switch (kind) {
            case "producer":
                return new DrivenProducer(settings);
            case "consumer":
                return new DrivenConsumer(settings);
            case "admin":
                return new DrivenAdmin(settings);
            default:
                throw new IllegalArgumentException("no kind " + kind);
        }
    }

    private static Properties settings(List<String> pairs) {
        Properties settings = new Properties();
        for (String pair : pairs) {
            int at = pair.indexOf('=');
            settings.put(pair.substring(0, at), pair.substring(at + 1));
        }
        return settings;
    }

    private static final class DrivenProducer implements Driven {
        private final KafkaProducer<byte[], byte[]> producer;
        private final List<Future<RecordMetadata>> sent = new ArrayList<>();

        DrivenProducer(Properties settings) {
            producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
        }

        @Override
        public String call(String verb, List<String> args) throws Exception {
            switch (verb) {
                case "send":
                    send(args);
                    return "null";
                case "flush":
                    return flush();
                case "close":
                    producer.close();
                    return "null";
                default:
                    throw new IllegalArgumentException("no verb " + verb);
            }
        }

        /** Topic, partition, timestamp, key, value, then name and value of each header. */
        private void send(List<String> args) {
            RecordHeaders headers = new RecordHeaders();
            for (int i = 5; i < args.size(); i += 2) {
                headers.add(new String(bytes(args.get(i)), StandardCharsets.UTF_8), bytes(args.get(i + 1)));
            }
            Integer partition = args.get(1).equals("-") ? null : Integer.valueOf(args.get(1));
            sent.add(producer.send(new ProducerRecord<>(args.get(0), partition,
                Long.valueOf(args.get(2)), bytes(args.get(3)), bytes(args.get(4)), headers)));
        }

        private String flush() throws Exception {
            List<Future<RecordMetadata>> batch = new ArrayList<>(sent);
            sent.clear();
            producer.flush();
            List<String> acks = new ArrayList<>();
            for (Future<RecordMetadata> future : batch) {
                RecordMetadata ack = future.get();
                acks.add("[" + ack.partition() + "," + ack.offset() + "," + ack.timestamp() + "]");
            }
            return acks.toString();
        }
    }

    private static final class DrivenConsumer implements Driven, ConsumerRebalanceListener {
        private final KafkaConsumer<byte[], byte[]> consumer;
        private final List<String> events = new ArrayList<>();

        DrivenConsumer(Properties settings) {
            consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        }

        @Override
        public String call(String verb, List<String> args) throws Exception {
            switch (verb) {
                case "assign":
                    consumer.assign(partitions(args.get(0)));
                    consumer.seekToBeginning(partitions(args.get(0)));
                    return "null";
                case "subscribe":
                    consumer.subscribe(args, this);
                    return "null";
                case "seek":
                    consumer.seek(new TopicPartition(args.get(0), Integer.parseInt(args.get(1))), Long.parseLong(args.get(2)));
                    return "null";
                case "poll":
                    return poll(Duration.ofMillis(Long.parseLong(args.get(0))));
                case "assignment":
                    return numbers(consumer.assignment());
                case "events":
                    return events.toString();
                case "commit":
                    return commit();
                case "commit-with":
                    consumer.commitSync(Map.of(new TopicPartition(args.get(0), Integer.parseInt(args.get(1))),
                        new OffsetAndMetadata(Long.parseLong(args.get(2)), args.get(3))));
                    return "null";
                case "commit-async":
                    return commitAsync();
                case "committed":
                    return committed(args.get(0));
                case "group":
                    return "[" + text(consumer.groupMetadata().memberId()) + "," + consumer.groupMetadata().generationId() + "]";
                case "offsets":
                    return offsets(args.get(0), args.get(1));
                case "close":
                    consumer.close();
                    return "null";
                default:
                    throw new IllegalArgumentException("no verb " + verb);
            }
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            events.add("[\"assigned\"," + numbers(partitions) + "]");
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            events.add("[\"revoked\"," + numbers(partitions) + "]");
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> partitions) {
            events.add("[\"lost\"," + numbers(partitions) + "]");
        }

        private List<TopicPartition> partitions(String topic) {
            return consumer.partitionsFor(topic).stream()
                .map(info -> new TopicPartition(topic, info.partition())).collect(Collectors.toList());
        }

        private String poll(Duration timeout) {
            List<String> records = new ArrayList<>();
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(timeout)) {
                List<String> headers = new ArrayList<>();
                for (Header header : record.headers()) {
                    headers.add("[" + hex(header.key().getBytes(StandardCharsets.UTF_8)) + "," + hex(header.value()) + "]");
                }
                records.add("[" + record.partition() + "," + record.offset() + "," + record.timestamp() + ","
                    + text(record.timestampType().name) + "," + hex(record.key()) + "," + hex(record.value()) + "," + headers + "]");
            }
            return records.toString();
        }

        private String commit() {
            try {
                consumer.commitSync();
                return "true";
            } catch (CommitFailedException | RebalanceInProgressException unsettled) {
                return "false";
            }
        }

        /** Commits without waiting, then polls no records until the callback ran; the offsets that it was given. */
        private String commitAsync() throws Exception {
            Map<TopicPartition, OffsetAndMetadata> done = new HashMap<>();
            List<Exception> failures = new ArrayList<>();
            boolean[] called = {false};
            consumer.commitAsync((offsets, failure) -> {
                called[0] = true;
                if (failure != null) {
                    failures.add(failure);
                } else {
                    done.putAll(offsets);
                }
            });
            consumer.pause(consumer.assignment());
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
            while (!called[0] && System.nanoTime() < deadline) {
                consumer.poll(Duration.ofMillis(20));
            }
            consumer.resume(consumer.assignment());
            if (!failures.isEmpty()) {
                throw failures.get(0);
            }
            return done.entrySet().stream().map(e -> "[" + e.getKey().partition() + "," + e.getValue().offset() + "]")
                .collect(Collectors.toList()).toString();
        }

        private String committed(String topic) {
            List<String> lines = new ArrayList<>();
            consumer.committed(new HashSet<>(partitions(topic))).forEach((partition, offset) -> {
                if (offset != null) {
                    lines.add("[" + partition.partition() + "," + offset.offset() + "," + text(offset.metadata()) + "]");
                }
            });
            return lines.toString();
        }

        /** `at`: "beginning", "end", or a time in milliseconds; partition, offset and, for a time, the record's own. */
        private String offsets(String topic, String at) {
            List<TopicPartition> partitions = partitions(topic);
            List<String> lines = new ArrayList<>();
            if (at.equals("beginning") || at.equals("end")) {
                Map<TopicPartition, Long> found = at.equals("end") ? consumer.endOffsets(partitions) : consumer.beginningOffsets(partitions);
                found.forEach((partition, offset) -> lines.add("[" + partition.partition() + "," + offset + ",null]"));
                return lines.toString();
            }
            Map<TopicPartition, Long> times = partitions.stream().collect(Collectors.toMap(p -> p, p -> Long.valueOf(at)));
            for (Map.Entry<TopicPartition, OffsetAndTimestamp> entry : consumer.offsetsForTimes(times).entrySet()) {
                OffsetAndTimestamp found = entry.getValue();
                lines.add("[" + entry.getKey().partition() + ","
                    + (found == null ? "null,null" : found.offset() + "," + found.timestamp()) + "]");
            }
            return lines.toString();
        }
    }

    private static final class DrivenAdmin implements Driven {
        private final Admin admin;

        DrivenAdmin(Properties settings) {
            admin = Admin.create(settings);
        }

        @Override
        public String call(String verb, List<String> args) throws Exception {
            switch (verb) {
                case "create-topic":
                    // Topic, partitions, then name=value of its configuration.
                    Map<String, String> configs = new HashMap<>();
                    settings(args.subList(2, args.size())).forEach((name, value) -> configs.put((String) name, (String) value));
                    NewTopic topic = new NewTopic(args.get(0), Integer.parseInt(args.get(1)), (short) 1).configs(configs);
                    admin.createTopics(List.of(topic)).all().get();
                    awaitLeaders(topic);
                    return "null";
                case "delete-topic":
                    admin.deleteTopics(List.of(args.get(0))).all().get();
                    return "null";
                case "topics":
                    return admin.listTopics().names().get().stream().map(ScenarioClient::text).collect(Collectors.toList()).toString();
                case "alter-config":
                    return alter(args);
                case "config":
                    return config(args.get(0), args.get(1));
                case "members":
                    return admin.describeConsumerGroups(List.of(args.get(0))).all().get().get(args.get(0)).members().stream()
                        .map(m -> "[" + text(m.groupInstanceId().orElse("-")) + "," + text(m.clientId()) + ","
                            + numbers(m.assignment().topicPartitions()) + "]").collect(Collectors.toList()).toString();
                case "close":
                    admin.close();
                    return "null";
                default:
                    throw new IllegalArgumentException("no verb " + verb);
            }
        }

        /**
         * Waits until every partition answers its end offset. Real Kafka names a leader before that broker leads; a
         * producer's first batch is then refused and its second accepted, and sequence 0 never gets in again.
         */
        private void awaitLeaders(NewTopic topic) throws Exception {
            Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
            for (int partition = 0; partition < topic.numPartitions(); partition++) {
                ends.put(new TopicPartition(topic.name(), partition), OffsetSpec.latest());
            }
            admin.listOffsets(ends).all().get();
        }

        /** Topic, SET, APPEND, SUBTRACT or DELETE, name, value. */
        private String alter(List<String> args) throws Exception {
            AlterConfigOp op = new AlterConfigOp(new ConfigEntry(args.get(2), args.get(3)), AlterConfigOp.OpType.valueOf(args.get(1)));
            ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, args.get(0));
            admin.incrementalAlterConfigs(Map.of(resource, List.of(op)), new AlterConfigsOptions()).all().get();
            return "null";
        }

        private String config(String topic, String name) throws Exception {
            ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
            Config config = admin.describeConfigs(Collections.singleton(resource)).all().get().get(resource);
            ConfigEntry entry = config.get(name);
            return "[" + text(entry.value()) + "," + text(entry.source().name()) + "]";
        }
    }

    private static byte[] bytes(String field) {
        return field.equals("-") ? null : HEX.parseHex(field);
    }

    private static String hex(byte[] bytes) {
        return bytes == null ? "null" : "\"" + HEX.formatHex(bytes) + "\"";
    }

    private static String numbers(Collection<TopicPartition> partitions) {
        return partitions.stream().map(TopicPartition::partition).sorted().collect(Collectors.toList()).toString();
    }

    private static String text(String value) {
        if (value == null) {
            return "null";
        }
        StringBuilder out = new StringBuilder("\"");
        for (char c : value.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < 0x20) {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }
}
