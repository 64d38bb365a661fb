import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.common.utils.Exit;
import org.slf4j.LoggerFactory;

/**
 * Runs the main methods of Kafka's command line tools one after another in one JVM.
 *
 * <p>A request is a line of JSON: {"main", "args", "stdin", "timeout_ms"}; the answer is a line of JSON: {"status", "out",
 * "err"}. The tools end by Kafka's own Exit class, which is told here to end the tool's thread and not the JVM. What a
 * tool would do at the JVM's end (its shutdown hooks, by Kafka's Exit or by the JVM itself) is done at the end of its run.
 * A tool that does not end in time is stopped as Ctrl-C would do it: its hooks are run; "status" is then null. Needs
 * --add-opens java.base/java.lang=ALL-UNNAMED, to reach the JVM's list of hooks.
 */
public final class ToolRunner {
    private static final long HOOK_TIMEOUT_MS = 30_000;

    /** Thrown where the tool would end the JVM. */
    private static final class Ended extends Error {
        final int status;

        Ended(int status) {
            super("exit " + status, null, false, false);
            this.status = status;
        }
    }

    private static final List<Runnable> HOOKS = new ArrayList<>();
    private static volatile Integer exitStatus;

    public static void main(String[] arguments) throws Exception {
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        PrintStream log = System.err;
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Exit.setExitProcedure((status, message) -> end(status));
        Exit.setHaltProcedure((status, message) -> end(status));
        Exit.setShutdownHookAdder((name, hook) -> {
            synchronized (HOOKS) {
                HOOKS.add(hook);
            }
        });
        // Logging adds a hook of its own, and that one is for the JVM's real end.
        LoggerFactory.getLogger(ToolRunner.class);
        ObjectMapper mapper = new ObjectMapper();
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            JsonNode request = mapper.readTree(line);
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            ByteArrayOutputStream err = new ByteArrayOutputStream();
            System.setIn(new ByteArrayInputStream(request.path("stdin").asText("").getBytes(StandardCharsets.UTF_8)));
            System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
            System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
            List<String> args = new ArrayList<>();
            request.path("args").forEach(arg -> args.add(arg.asText()));
            Integer status = run(request.path("main").asText(), args.toArray(new String[0]), request.path("timeout_ms").asLong());
            System.setOut(log);
            System.setErr(log);
            ObjectNode answer = mapper.createObjectNode();
            answer.put("status", status);
            answer.put("out", out.toString(StandardCharsets.UTF_8));
            answer.put("err", err.toString(StandardCharsets.UTF_8));
            answers.println(mapper.writeValueAsString(answer));
        }
        Runtime.getRuntime().halt(0);
    }

    private static void end(int status) {
        // Some mains catch Throwable and exit once more: the first status is the tool's own.
        if (exitStatus == null) {
            exitStatus = status;
        }
        throw new Ended(status);
    }

    private static Integer run(String main, String[] args, long timeoutMs) throws Exception {
        exitStatus = null;
        HOOKS.clear();
        Map<Thread, Thread> jvmHooks = jvmHooks();
        Set<Thread> older = Set.copyOf(jvmHooks.keySet());
        Method method = Class.forName(main).getMethod("main", String[].class);
        Integer[] status = {null};
        Thread tool = new Thread(() -> status[0] = invoke(method, args), main);
        tool.setDaemon(true);
        tool.start();
        tool.join(timeoutMs);
        boolean timely = !tool.isAlive();
        runHooks();
        runJvmHooks(jvmHooks, older);
        tool.join(HOOK_TIMEOUT_MS);
        if (tool.isAlive()) {
            tool.interrupt();
        }
        return timely ? status[0] : null;
    }

    private static int invoke(Method method, String[] args) {
        try {
            method.invoke(null, (Object) args);
            return exitStatus == null ? 0 : exitStatus;
        } catch (InvocationTargetException failure) {
            if (!(failure.getCause() instanceof Ended)) {
                failure.getCause().printStackTrace();
                return 1;
            }
            return exitStatus;
        } catch (IllegalAccessException failure) {
            failure.printStackTrace();
            return 1;
        }
    }

    @SuppressWarnings("unchecked")
    private static Map<Thread, Thread> jvmHooks() throws ReflectiveOperationException {
        Field hooks = Class.forName("java.lang.ApplicationShutdownHooks").getDeclaredField("hooks");
        hooks.setAccessible(true);
        return (Map<Thread, Thread>) hooks.get(null);
    }

    private static void runJvmHooks(Map<Thread, Thread> hooks, Set<Thread> older) throws InterruptedException {
        for (Thread hook : Set.copyOf(hooks.keySet())) {
            if (!older.contains(hook) && Runtime.getRuntime().removeShutdownHook(hook)) {
                hook.start();
                hook.join(HOOK_TIMEOUT_MS);
            }
        }
    }

    private static void runHooks() {
        List<Runnable> hooks;
        synchronized (HOOKS) {
            hooks = new ArrayList<>(HOOKS);
            HOOKS.clear();
        }
        for (Runnable hook : hooks) {
            try {
                hook.run();
            } catch (Ended ended) {
                // A hook that exits has done its work.
                continue;
            }
        }
    }
}
