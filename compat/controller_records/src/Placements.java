import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Scanner;

import org.apache.kafka.common.Uuid;
import org.apache.kafka.metadata.placement.ClusterDescriber;
import org.apache.kafka.metadata.placement.PartitionAssignment;
import org.apache.kafka.metadata.placement.PlacementSpec;
import org.apache.kafka.metadata.placement.StripedReplicaPlacer;
import org.apache.kafka.metadata.placement.UsableBroker;

/** Places replicas with Kafka's own placer. A line in: seed, partitions, factor, then id:rack:fenced for each broker. */
public class Placements {
    public static void main(String[] args) {
        Scanner lines = new Scanner(System.in);
        while (lines.hasNextLine()) {
            String[] words = lines.nextLine().split(" ");
            List<UsableBroker> brokers = new ArrayList<>();
            for (int i = 3; i < words.length; i++) {
                String[] parts = words[i].split(":", -1);
                Optional<String> rack = parts[1].isEmpty() ? Optional.empty() : Optional.of(parts[1]);
                brokers.add(new UsableBroker(Integer.parseInt(parts[0]), rack, parts[2].equals("fenced")));
            }
            System.out.println(place(words, brokers));
        }
    }

    private static String place(String[] words, List<UsableBroker> brokers) {
        PlacementSpec spec = new PlacementSpec(0, Integer.parseInt(words[1]), Short.parseShort(words[2]));
        ClusterDescriber cluster = new ClusterDescriber() {
            @Override
            public Iterator<UsableBroker> usableBrokers() {
                return brokers.iterator();
            }

            @Override
            public Uuid defaultDir(int brokerId) {
                return new Uuid(7, brokerId);
            }
        };
        try {
            List<List<Integer>> placed = new ArrayList<>();
            StripedReplicaPlacer placer = new StripedReplicaPlacer(new Random(Long.parseLong(words[0])));
            for (PartitionAssignment assignment : placer.place(spec, cluster).assignments()) {
                placed.add(assignment.replicas());
            }
            return placed.toString();
        } catch (Exception e) {
            return "\"" + e.getMessage() + "\"";
        }
    }
}
