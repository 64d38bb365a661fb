import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

import org.apache.kafka.common.utils.Time;
import org.apache.kafka.server.util.KafkaScheduler;
import org.apache.kafka.storage.internals.epoch.LeaderEpochFileCache;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.UnifiedLog;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

/**
 * Opens one partition directory after another as a broker does, and closes it cleanly.
 *
 * A line in: directory, clean (true or false), recovery point, log start offset, name=value pairs of the topic's
 * configuration, all apart by tabs. A line out: "ok", log start, log end and last stable offset, recovery point, and
 * epoch@start pairs; or "refused", the exception's class and its message.
 */
public class LogOpener {
    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        BrokerTopicStats stats = new BrokerTopicStats(false);
        KafkaScheduler scheduler = new KafkaScheduler(1);
        scheduler.startup();
        String line;
        while ((line = lines.readLine()) != null) {
            String answer;
            try {
                answer = open(line.split("\t"), stats, scheduler);
            } catch (Throwable error) {
                String message = String.valueOf(error.getMessage()).replace('\t', ' ').replace('\n', ' ');
                answer = "refused\t" + error.getClass().getSimpleName() + "\t" + message;
            }
            System.out.println(answer);
            System.out.flush();
        }
        System.exit(0);
    }

    private static String open(String[] words, BrokerTopicStats stats, KafkaScheduler scheduler) throws Exception {
        Map<String, String> settings = new HashMap<>();
        for (int n = 4; n < words.length; n++) {
            settings.put(words[n].substring(0, words[n].indexOf('=')), words[n].substring(words[n].indexOf('=') + 1));
        }
        UnifiedLog log = UnifiedLog.create(
            new File(words[0]), new LogConfig(settings), Long.parseLong(words[3]), Long.parseLong(words[2]), scheduler,
            stats, Time.SYSTEM, 900000, new ProducerStateManagerConfig(Integer.MAX_VALUE, true), Integer.MAX_VALUE,
            new LogDirFailureChannel(1), Boolean.parseBoolean(words[1]), Optional.empty());
        log.updateHighWatermark(log.logEndOffset());
        StringBuilder answer = new StringBuilder("ok\t" + log.logStartOffset() + "\t" + log.logEndOffset() + "\t"
            + log.lastStableOffset() + "\t" + log.recoveryPoint() + "\t");
        LeaderEpochFileCache epochs = log.leaderEpochCache();
        answer.append(epochs.epochEntries().stream().map(e -> e.epoch() + "@" + e.startOffset())
            .reduce((one, other) -> one + " " + other).orElse(""));
        log.close();
        // What is only in memory would go to the file on the scheduler.
        if (epochs.nonEmpty()) {
            epochs.assign(epochs.epochEntries());
        } else {
            epochs.clearAndFlush();
        }
        return answer.toString();
    }
}
