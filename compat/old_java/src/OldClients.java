import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * What the Java clients of a release do against a broker: one line of JSON a step, its name and its outcome.
 *
 * <p>An outcome is a text without anything that differs from run to run. A step that throws has the simple name of the
 * exception's class for its outcome. Compiles against kafka-clients 2.1 to 3.9.
 */
public final class OldClients {
    private static final List<String> CODECS = Arrays.asList("none", "gzip", "snappy", "lz4", "zstd");
    private static final long BEGAN_MS = System.currentTimeMillis() - 3_600_000;
    private static PrintStream answers;
    private static String bootstrap;
    private static String topic;
    private static AdminClient admin;

    private interface Step {
        String run() throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        answers = new PrintStream(System.out, true, "UTF-8");
        System.setOut(System.err);
        bootstrap = arguments[0];
        topic = arguments[1];
        admin = AdminClient.create(settings());
        topics();
        produce();
        read();
        positions();
        groups();
        transactions();
        deletions();
        // Clients that wait for something would hold the process up.
        Runtime.getRuntime().halt(0);
    }

    private static void step(String name, Step step) {
        String outcome;
        try {
            outcome = step.run();
        } catch (Throwable failure) {
            Throwable cause = failure instanceof ExecutionException ? failure.getCause() : failure;
            cause.printStackTrace();
            outcome = cause.getClass().getSimpleName();
        }
        answers.println("{\"step\":\"" + name + "\",\"outcome\":\"" + outcome.replace("\\", "\\\\").replace("\"", "\\\"") + "\"}");
    }

    private static Properties settings(String... pairs) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("request.timeout.ms", "15000");
        for (int i = 0; i < pairs.length; i += 2) {
            settings.put(pairs[i], pairs[i + 1]);
        }
        return settings;
    }

    private static <T> T got(Future<T> future) throws Exception {
        return future.get(40, TimeUnit.SECONDS);
    }

    private static void topics() {
        step("create-topic", () -> {
            got(admin.createTopics(Collections.singleton(new NewTopic(topic, 3, (short) 1))).all());
            return "created";
        });
        step("create-topic-again", () -> got(admin.createTopics(Collections.singleton(new NewTopic(topic, 3, (short) 1))).all()) + "");
        step("create-topic-bad-name", () -> got(admin.createTopics(Collections.singleton(new NewTopic("a b", 1, (short) 1))).all()) + "");
        step("create-topic-bad-factor", () -> got(admin.createTopics(Collections.singleton(new NewTopic(topic + "-f", 1, (short) 9))).all()) + "");
        step("create-topic-bad-config", () -> got(admin.createTopics(Collections.singleton(
            new NewTopic(topic + "-c", 1, (short) 1).configs(Collections.singletonMap("retention.ms", "soon")))).all()) + "");
        step("list-topics", () -> String.valueOf(got(admin.listTopics().names()).contains(topic)));
        step("describe-topic", () -> described());
        step("describe-topic-unknown", () -> got(admin.describeTopics(Collections.singleton(topic + "-none")).all()) + "");
        step("create-partitions", () -> {
            got(admin.createPartitions(Collections.singletonMap(topic, NewPartitions.increaseTo(4))).all());
            return described();
        });
        step("create-partitions-fewer", () -> got(admin.createPartitions(Collections.singletonMap(topic, NewPartitions.increaseTo(2))).all()) + "");
        step("describe-cluster", () -> got(admin.describeCluster().nodes()).size() + " node, controller "
            + (got(admin.describeCluster().controller()) != null) + ", id " + !got(admin.describeCluster().clusterId()).isEmpty());
        step("alter-configs", () -> {
            ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
            Config wanted = new Config(Collections.singleton(new ConfigEntry("retention.ms", "86400000")));
            got(admin.alterConfigs(Collections.singletonMap(resource, wanted)).all());
            Config found = got(admin.describeConfigs(Collections.singleton(resource)).all()).get(resource);
            return config(found, "retention.ms") + " " + config(found, "cleanup.policy");
        });
        step("describe-configs-names", () -> {
            ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
            Set<String> names = new TreeSet<>();
            got(admin.describeConfigs(Collections.singleton(resource)).all()).get(resource).entries().forEach(e -> names.add(e.name()));
            return names.toString();
        });
        step("describe-log-dirs", () -> {
            int node = got(admin.describeCluster().nodes()).iterator().next().id();
            return got(admin.describeLogDirs(Collections.singleton(node)).all()).get(node).values().iterator().next()
                .replicaInfos.keySet().stream().filter(p -> p.topic().equals(topic)).count() + " replicas";
        });
    }

    private static String config(Config config, String name) {
        ConfigEntry entry = config.get(name);
        return entry.name() + "=" + entry.value() + " default " + entry.isDefault() + " read-only " + entry.isReadOnly() + " " + entry.source();
    }

    private static String described() throws Exception {
        TopicDescription found = got(admin.describeTopics(Collections.singleton(topic)).all()).get(topic);
        List<String> partitions = new ArrayList<>();
        found.partitions().forEach(p -> partitions.add(p.partition() + " leader " + (p.leader() != null) + " of " + p.replicas().size() + " in sync " + p.isr().size()));
        return found.isInternal() + " " + partitions;
    }

    private static KafkaProducer<String, String> producer(String... pairs) {
        Properties settings = settings(pairs);
        settings.putIfAbsent("acks", "all");
        return new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
    }

    private static ProducerRecord<String, String> record(String codec, int i) {
        ProducerRecord<String, String> record = new ProducerRecord<>(topic, i % 3, BEGAN_MS + CODECS.indexOf(codec) * 60_000L + i * 1000L,
            i % 5 == 0 ? null : "key-" + i, i % 7 == 0 ? null : codec + "-" + String.join("", Collections.nCopies(i, "value ")));
        record.headers().add("codec", codec.getBytes(StandardCharsets.UTF_8)).add("empty", new byte[0]).add("null", null);
        return record;
    }

    private static void produce() {
        for (String codec : CODECS) {
            step("produce-" + codec, () -> {
                try (KafkaProducer<String, String> producer = producer("compression.type", codec, "linger.ms", "50")) {
                    List<Future<RecordMetadata>> sent = new ArrayList<>();
                    for (int i = 0; i < 30; i++) {
                        sent.add(producer.send(record(codec, i)));
                    }
                    return offsets(sent);
                }
            });
        }
        step("produce-idempotent", () -> {
            try (KafkaProducer<String, String> producer = producer("enable.idempotence", "true")) {
                List<Future<RecordMetadata>> sent = new ArrayList<>();
                for (int i = 0; i < 30; i++) {
                    sent.add(producer.send(new ProducerRecord<>(topic, 3, "k", "v" + i)));
                    if (i % 10 == 0) {
                        producer.flush();
                    }
                }
                return offsets(sent);
            }
        });
        for (String acks : Arrays.asList("0", "1")) {
            step("produce-acks-" + acks, () -> {
                try (KafkaProducer<String, String> producer = producer("acks", acks, "enable.idempotence", "false")) {
                    return String.valueOf(got(producer.send(new ProducerRecord<>(topic, 3, "k", "acks " + acks))).offset());
                }
            });
        }
        step("produce-too-large", () -> {
            try (KafkaProducer<String, String> producer = producer("max.request.size", "4000000")) {
                return String.valueOf(got(producer.send(new ProducerRecord<>(topic, 3, "k",
                    new String(new char[2_000_000]).replace('\0', 'x')))).offset());
            }
        });
        step("produce-bad-topic", () -> {
            try (KafkaProducer<String, String> producer = producer("max.block.ms", "3000")) {
                return String.valueOf(got(producer.send(new ProducerRecord<>("no such topic", "k", "v"))).offset());
            }
        });
        step("produce-auto-created", () -> {
            try (KafkaProducer<String, String> producer = producer()) {
                return String.valueOf(got(producer.send(new ProducerRecord<>(topic + "-auto", "k", "v"))).offset());
            }
        });
    }

    private static String offsets(List<Future<RecordMetadata>> sent) throws Exception {
        Map<Integer, List<Long>> found = new TreeMap<>();
        for (Future<RecordMetadata> future : sent) {
            found.computeIfAbsent(got(future).partition(), p -> new ArrayList<>()).add(got(future).offset());
        }
        List<String> ranges = new ArrayList<>();
        found.forEach((partition, offsets) -> ranges.add(partition + ": " + offsets.get(0) + "-" + offsets.get(offsets.size() - 1) + " (" + offsets.size() + ")"));
        return ranges.toString();
    }

    private static KafkaConsumer<String, String> consumer(String... pairs) {
        Properties settings = settings(pairs);
        settings.putIfAbsent("auto.offset.reset", "earliest");
        settings.putIfAbsent("enable.auto.commit", "false");
        settings.putIfAbsent("default.api.timeout.ms", "20000");
        return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
    }

    private static List<TopicPartition> partitions(int count) {
        List<TopicPartition> partitions = new ArrayList<>();
        for (int partition = 0; partition < count; partition++) {
            partitions.add(new TopicPartition(topic, partition));
        }
        return partitions;
    }

    private static List<ConsumerRecord<String, String>> records(KafkaConsumer<String, String> consumer, int count) throws Exception {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(40);
        while (records.size() < count) {
            consumer.poll(100L).forEach(records::add);
            if (System.nanoTime() > deadline) {
                throw new TimeoutException(records.size() + " of " + count);
            }
        }
        return records;
    }

    /** All that was read, order within a partition included, in a few characters. */
    private static String digest(List<ConsumerRecord<String, String>> records) {
        Map<Integer, List<String>> found = new TreeMap<>();
        for (ConsumerRecord<String, String> record : records) {
            StringBuilder headers = new StringBuilder();
            for (Header header : record.headers()) {
                headers.append(header.key()).append('=').append(header.value() == null ? "null" : new String(header.value(), StandardCharsets.UTF_8)).append(';');
            }
            found.computeIfAbsent(record.partition(), p -> new ArrayList<>()).add(
                record.offset() + "|" + (record.timestamp() - BEGAN_MS) + "|" + record.timestampType() + "|" + record.key() + "|" + record.value() + "|" + headers);
        }
        return records.size() + " records, " + Integer.toHexString(found.toString().hashCode());
    }

    private static void read() {
        for (String level : Arrays.asList("read_uncommitted", "read_committed")) {
            step("read-" + level, () -> {
                try (KafkaConsumer<String, String> consumer = consumer("isolation.level", level)) {
                    consumer.assign(partitions(3));
                    consumer.seekToBeginning(partitions(3));
                    return digest(records(consumer, 150));
                }
            });
        }
        step("read-small-fetches", () -> {
            try (KafkaConsumer<String, String> consumer = consumer("max.partition.fetch.bytes", "100", "max.poll.records", "3")) {
                consumer.assign(partitions(3));
                consumer.seekToBeginning(partitions(3));
                return digest(records(consumer, 150));
            }
        });
    }

    private static void positions() {
        step("beginning-and-end", () -> {
            try (KafkaConsumer<String, String> consumer = consumer()) {
                return new TreeMap<>(byPartition(consumer.beginningOffsets(partitions(4)))) + " " + new TreeMap<>(byPartition(consumer.endOffsets(partitions(4))));
            }
        });
        step("offsets-for-times", () -> {
            try (KafkaConsumer<String, String> consumer = consumer()) {
                Map<TopicPartition, Long> times = new HashMap<>();
                times.put(new TopicPartition(topic, 0), BEGAN_MS);
                times.put(new TopicPartition(topic, 1), BEGAN_MS + 125_500);
                times.put(new TopicPartition(topic, 2), BEGAN_MS + 100 * 3_600_000L);
                Map<Integer, String> found = new TreeMap<>();
                for (Map.Entry<TopicPartition, OffsetAndTimestamp> entry : consumer.offsetsForTimes(times).entrySet()) {
                    OffsetAndTimestamp at = entry.getValue();
                    found.put(entry.getKey().partition(), at == null ? "null" : at.offset() + "@" + (at.timestamp() - BEGAN_MS));
                }
                return found.toString();
            }
        });
        step("seek-and-pause", () -> {
            try (KafkaConsumer<String, String> consumer = consumer()) {
                consumer.assign(partitions(2));
                consumer.seek(new TopicPartition(topic, 0), 45);
                consumer.seek(new TopicPartition(topic, 1), 40);
                consumer.pause(Collections.singleton(new TopicPartition(topic, 1)));
                String paused = digest(records(consumer, 5));
                consumer.resume(Collections.singleton(new TopicPartition(topic, 1)));
                return paused + ", then " + digest(records(consumer, 10));
            }
        });
        step("out-of-range", () -> {
            try (KafkaConsumer<String, String> consumer = consumer("auto.offset.reset", "none")) {
                consumer.assign(partitions(1));
                consumer.seek(new TopicPartition(topic, 0), 1_000_000);
                return digest(records(consumer, 1));
            }
        });
        step("partitions-for-unknown", () -> {
            try (KafkaConsumer<String, String> consumer = consumer("allow.auto.create.topics", "false")) {
                List<?> found = consumer.partitionsFor(topic + "-none");
                return found == null ? "null" : found.size() + " partitions";
            }
        });
    }

    private static Map<Integer, Long> byPartition(Map<TopicPartition, Long> offsets) {
        Map<Integer, Long> found = new HashMap<>();
        offsets.forEach((partition, offset) -> found.put(partition.partition(), offset));
        return found;
    }

    private static void groups() {
        String group = topic + "-group";
        step("group-read-and-commit", () -> {
            try (KafkaConsumer<String, String> consumer = consumer("group.id", group)) {
                consumer.subscribe(Collections.singleton(topic));
                List<ConsumerRecord<String, String>> records = records(consumer, 182);
                records.removeIf(record -> record.partition() == 3);
                consumer.commitSync();
                return digest(records) + " of " + consumer.assignment().size() + " partitions, at " + consumer.committed(new TopicPartition(topic, 0)).offset();
            }
        });
        step("group-goes-on", () -> {
            try (KafkaConsumer<String, String> consumer = consumer("group.id", group); KafkaProducer<String, String> producer = producer()) {
                got(producer.send(new ProducerRecord<>(topic, 0, "k", "after")));
                consumer.subscribe(Collections.singleton(topic));
                ConsumerRecord<String, String> record = records(consumer, 1).get(0);
                consumer.commitSync(Collections.singletonMap(new TopicPartition(topic, 0), new OffsetAndMetadata(record.offset() + 1, "a note")));
                OffsetAndMetadata committed = consumer.committed(new TopicPartition(topic, 0));
                return record.value() + "@" + record.offset() + ", committed " + committed.offset() + " " + committed.metadata();
            }
        });
        step("group-of-two", () -> twoMembers(group + "-2"));
        step("describe-group", () -> {
            try (KafkaConsumer<String, String> consumer = consumer("group.id", group, "client.id", "one")) {
                consumer.subscribe(Collections.singleton(topic));
                await(consumer, 4);
                return group(group);
            }
        });
        step("describe-group-empty", () -> group(group));
        step("describe-group-unknown", () -> group(group + "-none"));
        step("list-groups", () -> String.valueOf(got(admin.listConsumerGroups().all()).stream().anyMatch(listing -> listing.groupId().equals(group))));
        step("group-offsets", () -> new TreeMap<>(got(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata()).entrySet().stream()
            .collect(java.util.stream.Collectors.toMap(e -> e.getKey().partition(), e -> e.getValue().offset() + e.getValue().metadata()))).toString());
        step("delete-group", () -> {
            got(admin.deleteConsumerGroups(Collections.singleton(group)).all());
            return group(group);
        });
        step("delete-group-unknown", () -> got(admin.deleteConsumerGroups(Collections.singleton(group + "-none")).all()) + "");
    }

    private static String group(String group) throws Exception {
        org.apache.kafka.clients.admin.ConsumerGroupDescription found = got(admin.describeConsumerGroups(Collections.singleton(group)).all()).get(group);
        List<String> members = new ArrayList<>();
        found.members().forEach(member -> members.add(member.clientId() + " with " + member.assignment().topicPartitions().size()));
        return found.state() + " " + found.partitionAssignor() + " " + found.isSimpleConsumerGroup() + " " + members;
    }

    /** One member has everything; a second takes half; it leaves, and the first has everything again. */
    private static String twoMembers(String group) throws Exception {
        List<Integer> seen = Collections.synchronizedList(new ArrayList<>());
        try (KafkaConsumer<String, String> first = consumer("group.id", group, "heartbeat.interval.ms", "200")) {
            first.subscribe(Collections.singleton(topic));
            await(first, 4);
            Thread other = new Thread(() -> {
                try (KafkaConsumer<String, String> second = consumer("group.id", group, "heartbeat.interval.ms", "200")) {
                    second.subscribe(Collections.singleton(topic));
                    await(second, 2);
                    seen.add(second.assignment().size());
                } catch (Exception failure) {
                    failure.printStackTrace();
                }
            });
            other.start();
            await(first, 2);
            while (other.isAlive()) {
                first.poll(50L);
            }
            await(first, 4);
            return "4, 2 and " + seen + ", 4";
        }
    }

    private static void await(KafkaConsumer<String, String> consumer, int partitions) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(40);
        while (consumer.assignment().size() != partitions) {
            consumer.poll(50L);
            if (System.nanoTime() > deadline) {
                throw new TimeoutException("at " + consumer.assignment());
            }
        }
    }

    private static void transactions() {
        step("transaction", () -> {
            try (KafkaProducer<String, String> producer = producer("transactional.id", topic + "-tx", "max.block.ms", "5000")) {
                producer.initTransactions();
                producer.beginTransaction();
                producer.send(new ProducerRecord<>(topic + "-auto", 0, "k", "aborted"));
                producer.abortTransaction();
                producer.beginTransaction();
                producer.send(new ProducerRecord<>(topic + "-auto", 0, "k", "committed"));
                producer.commitTransaction();
            }
            try (KafkaConsumer<String, String> consumer = consumer("isolation.level", "read_committed")) {
                TopicPartition partition = new TopicPartition(topic + "-auto", 0);
                consumer.assign(Collections.singleton(partition));
                consumer.seekToBeginning(Collections.singleton(partition));
                List<String> values = new ArrayList<>();
                records(consumer, 2).forEach(record -> values.add(record.value()));
                return values.toString();
            }
        });
    }

    private static void deletions() {
        step("delete-records", () -> {
            Map<TopicPartition, RecordsToDelete> wanted = new HashMap<>();
            wanted.put(new TopicPartition(topic, 0), RecordsToDelete.beforeOffset(7));
            wanted.put(new TopicPartition(topic, 1), RecordsToDelete.beforeOffset(-1));
            long low = got(admin.deleteRecords(wanted).lowWatermarks().get(new TopicPartition(topic, 1))).lowWatermark();
            try (KafkaConsumer<String, String> consumer = consumer()) {
                return low + " " + new TreeMap<>(byPartition(consumer.beginningOffsets(partitions(4))));
            }
        });
        step("delete-records-too-far", () -> got(admin.deleteRecords(Collections.singletonMap(new TopicPartition(topic, 0),
            RecordsToDelete.beforeOffset(1_000_000))).all()) + "");
        step("delete-topic", () -> {
            got(admin.deleteTopics(new HashSet<>(Arrays.asList(topic, topic + "-auto"))).all());
            return String.valueOf(got(admin.listTopics().names()).contains(topic));
        });
        step("delete-topic-unknown", () -> got(admin.deleteTopics(Collections.singleton(topic + "-none")).all()) + "");
    }
}
