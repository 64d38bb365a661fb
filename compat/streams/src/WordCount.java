import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.processor.StateRestoreListener;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.QueryableStoreTypes;

/**
 * Counts words with Kafka Streams, over restarts with and without its local state; one line of JSON a step.
 *
 * <p>Arguments: bootstrap servers, a name nobody else uses, a folder for local state, the processing guarantee.
 */
public final class WordCount {
    private static final List<String> FIRST = Arrays.asList("the quick brown fox", "jumps over the lazy dog", "the end");
    private static final List<String> SECOND = Arrays.asList("the fox sleeps", "a dog barks at the fox");
    private static final List<String> THIRD = Arrays.asList("over and over", "the end");
    private static PrintStream answers;
    private static String bootstrap;
    private static String name;
    private static String folder;
    private static String guarantee;
    private static int updates;
    private static KafkaConsumer<String, Long> results;

    private interface Step {
        Object run() throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        answers = new PrintStream(System.out, true, "UTF-8");
        System.setOut(System.err);
        bootstrap = arguments[0];
        name = arguments[1];
        folder = arguments[2];
        guarantee = arguments[3];
        try (Admin admin = Admin.create(settings())) {
            admin.createTopics(Arrays.asList(new NewTopic(name + "-lines", 2, (short) 1), new NewTopic(name + "-counts", 2, (short) 1),
                new NewTopic(name + "-windows", 1, (short) 1))).all().get();
            results = new KafkaConsumer<>(settings("isolation.level", "read_committed"), new StringDeserializer(), new LongDeserializer());
            List<TopicPartition> counts = Arrays.asList(new TopicPartition(name + "-counts", 0), new TopicPartition(name + "-counts", 1));
            results.assign(counts);
            results.seekToBeginning(counts);
            step("counts", () -> counted(FIRST, false));
            step("topics", () -> topics(admin));
            step("group", () -> admin.describeConsumerGroups(Collections.singleton(name)).all().get().get(name).type());
            step("counts-go-on", () -> counted(SECOND, false));
            step("counts-from-the-changelog", () -> counted(THIRD, true));
            step("windows", WordCount::windows);
            step("committed", () -> {
                // Not of the internal topics: with transactions they have a marker for every commit.
                return admin.listConsumerGroupOffsets(name).partitionsToOffsetAndMetadata().get().entrySet().stream()
                    .filter(entry -> entry.getKey().topic().equals(name + "-lines")).mapToLong(entry -> entry.getValue().offset()).sum();
            });
        }
        Runtime.getRuntime().halt(0);
    }

    private static void step(String step, Step what) {
        String outcome;
        try {
            outcome = String.valueOf(what.run());
        } catch (Throwable failure) {
            Throwable cause = failure instanceof ExecutionException ? failure.getCause() : failure;
            cause.printStackTrace();
            outcome = cause.getClass().getSimpleName();
        }
        answers.println("{\"step\":\"" + step + "\",\"outcome\":\"" + outcome.replace("\"", "\\\"") + "\"}");
    }

    private static Properties settings(String... pairs) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        for (int i = 0; i < pairs.length; i += 2) {
            settings.put(pairs[i], pairs[i + 1]);
        }
        return settings;
    }

    private static KafkaStreams streams() {
        StreamsBuilder builder = new StreamsBuilder();
        var words = builder.<String, String>stream(name + "-lines")
            .flatMapValues(line -> Arrays.asList(line.toLowerCase().split(" ")));
        words.groupBy((key, word) -> word)
            .count(Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as("counts"))
            .toStream().to(name + "-counts", Produced.with(Serdes.String(), Serdes.Long()));
        words.groupBy((key, word) -> "all", Grouped.as("windowed"))
            .windowedBy(TimeWindows.ofSizeWithNoGrace(Duration.ofMinutes(1)))
            .count(Materialized.as("windows"))
            .toStream((window, count) -> "at " + window.window().start())
            .to(name + "-windows", Produced.with(Serdes.String(), Serdes.Long()));
        // Streams does not leave its group when it ends: the next life waits for the session to end.
        Properties settings = settings("application.id", name, "processing.guarantee", guarantee, "state.dir", folder,
            "statestore.cache.max.bytes", "0", "commit.interval.ms", "200", "auto.offset.reset", "earliest",
            "default.key.serde", Serdes.StringSerde.class.getName(), "default.value.serde", Serdes.StringSerde.class.getName(),
            "num.stream.threads", "1", "max.block.ms", "15000", "session.timeout.ms", "6000", "heartbeat.interval.ms", "1000", "default.api.timeout.ms", "15000", "request.timeout.ms", "10000");
        return new KafkaStreams(builder.build(), settings);
    }

    private static void await(String what, BooleanSupplier condition) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new TimeoutException(what);
            }
            Thread.sleep(20);
        }
    }

    /** Run the application over some more lines; its answers, the store's, and what it restored. */
    private static String counted(List<String> lines, boolean withoutState) throws Exception {
        produce(lines);
        AtomicLong restored = new AtomicLong();
        Map<String, Long> found = new TreeMap<>();
        KafkaStreams streams = streams();
        try {
            if (withoutState) {
                streams.cleanUp();
            }
            streams.setGlobalStateRestoreListener(listener(restored));
            streams.start();
            await("running", () -> streams.state() == KafkaStreams.State.RUNNING);
            int expected = updates + lines.stream().mapToInt(line -> line.split(" ").length).sum();
            await("updates", () -> {
                for (ConsumerRecord<String, Long> record : results.poll(Duration.ofMillis(100))) {
                    updates++;
                    found.put(record.key(), record.value());
                }
                return updates >= expected;
            });
            var store = streams.store(StoreQueryParameters.fromNameAndType("counts", QueryableStoreTypes.<String, Long>keyValueStore()));
            Set<String> stored = new TreeSet<>();
            store.all().forEachRemaining(entry -> stored.add(entry.key + "=" + entry.value));
            return (updates - expected) + " updates too many, " + found + ", store " + stored + ", restored " + restored;
        } finally {
            streams.close(Duration.ofSeconds(30));
        }
    }

    private static StateRestoreListener listener(AtomicLong restored) {
        return new StateRestoreListener() {
            @Override
            public void onRestoreStart(TopicPartition partition, String store, long start, long end) {
            }

            @Override
            public void onBatchRestored(TopicPartition partition, String store, long end, long count) {
            }

            @Override
            public void onRestoreEnd(TopicPartition partition, String store, long total) {
                if (store.equals("counts")) {
                    restored.addAndGet(total);
                }
            }
        };
    }

    private static void produce(List<String> lines) throws Exception {
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings(), new StringSerializer(), new StringSerializer())) {
            for (int i = 0; i < lines.size(); i++) {
                // In one minute of the past each: the windows do not depend on when the test runs.
                long timestamp = System.currentTimeMillis() / 60_000 * 60_000 - 3_600_000;
                producer.send(new ProducerRecord<>(name + "-lines", i % 2, timestamp, null, lines.get(i))).get();
            }
        }
    }

    private static String windows() throws Exception {
        TopicPartition partition = new TopicPartition(name + "-windows", 0);
        try (KafkaConsumer<String, Long> consumer = new KafkaConsumer<>(
                settings("isolation.level", "read_committed"), new StringDeserializer(), new LongDeserializer())) {
            consumer.assign(Collections.singleton(partition));
            consumer.seekToBeginning(Collections.singleton(partition));
            List<Long> counts = new ArrayList<>();
            await("windows", () -> {
                consumer.poll(Duration.ofMillis(100)).forEach(record -> counts.add(record.value()));
                return counts.size() >= updates;
            });
            return counts.size() + " updates";
        }
    }

    /** What Streams made for itself: partitions and cleanup policy of each internal topic. */
    private static String topics(Admin admin) throws Exception {
        Set<String> internal = new HashSet<>();
        for (String topic : admin.listTopics().names().get()) {
            if (topic.startsWith(name + "-") && (topic.endsWith("-changelog") || topic.endsWith("-repartition"))) {
                internal.add(topic);
            }
        }
        Map<String, String> found = new TreeMap<>();
        for (String topic : internal) {
            ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
            int partitions = admin.describeTopics(Collections.singleton(topic)).allTopicNames().get().get(topic).partitions().size();
            var config = admin.describeConfigs(Collections.singleton(resource)).all().get().get(resource);
            found.put(topic.replace(name, "app"), partitions + " " + config.get("cleanup.policy").value() + " " + config.get("retention.ms").value()
                + " " + config.get("message.timestamp.type").value() + " " + config.get("segment.bytes").value());
        }
        return found.toString();
    }
}
