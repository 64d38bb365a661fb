import java.io.PrintStream;
import java.util.Collections;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * What Java clients from before 2.1 come to at a broker that speaks few or none of their versions (KIP-896): what their calls
 * return or throw, one line of JSON a step. Compiles against kafka-clients 0.10.2 and 1.1.
 */
public final class OlderClients {
    private static PrintStream answers;
    private static String bootstrap;

    private interface Step {
        String run() throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        answers = new PrintStream(System.out, true, "UTF-8");
        System.setOut(System.err);
        bootstrap = arguments[0];
        String topic = arguments[1];
        TopicPartition partition = new TopicPartition(topic, 0);
        step("produce", () -> {
            try (KafkaProducer<String, String> producer = new KafkaProducer<>(
                    settings("max.block.ms", "6000"), new StringSerializer(), new StringSerializer())) {
                return "offset " + producer.send(new ProducerRecord<>(topic, 0, "k", "v")).get(20, TimeUnit.SECONDS).offset();
            }
        });
        step("partitions-for", () -> {
            try (KafkaConsumer<String, String> consumer = consumer()) {
                return consumer.partitionsFor(topic).size() + " partitions";
            }
        });
        step("end-offsets", () -> {
            try (KafkaConsumer<String, String> consumer = consumer()) {
                return consumer.endOffsets(Collections.singleton(partition)).get(partition) + "";
            }
        });
        step("read", () -> {
            try (KafkaConsumer<String, String> consumer = consumer()) {
                consumer.assign(Collections.singleton(partition));
                consumer.seekToBeginning(Collections.singleton(partition));
                return read(consumer);
            }
        });
        step("read-in-group", () -> {
            try (KafkaConsumer<String, String> consumer = consumer("group.id", topic + "-group")) {
                consumer.subscribe(Collections.singleton(topic));
                return read(consumer);
            }
        });
        step("committed", () -> {
            try (KafkaConsumer<String, String> consumer = consumer("group.id", topic + "-group")) {
                return consumer.committed(partition) + "";
            }
        });
        Runtime.getRuntime().halt(0);
    }

    private static String read(KafkaConsumer<String, String> consumer) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(6);
        while (System.nanoTime() < deadline) {
            ConsumerRecords<String, String> records = consumer.poll(200L);
            if (!records.isEmpty()) {
                return records.iterator().next().value();
            }
        }
        return "nothing came";
    }

    private static void step(String name, Step step) throws InterruptedException {
        String[] outcome = {"never returned"};
        Thread thread = new Thread(() -> {
            try {
                outcome[0] = step.run();
            } catch (Throwable failure) {
                Throwable cause = failure instanceof ExecutionException ? failure.getCause() : failure;
                cause.printStackTrace();
                outcome[0] = cause.getClass().getSimpleName();
            }
        });
        thread.setDaemon(true);
        thread.start();
        thread.join(25_000);
        answers.println("{\"step\":\"" + name + "\",\"outcome\":\"" + outcome[0] + "\"}");
    }

    private static KafkaConsumer<String, String> consumer(String... pairs) {
        Properties settings = settings(pairs);
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
    }

    private static Properties settings(String... pairs) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("request.timeout.ms", "40000");
        for (int i = 0; i < pairs.length; i += 2) {
            settings.put(pairs[i], pairs[i + 1]);
        }
        return settings;
    }
}
